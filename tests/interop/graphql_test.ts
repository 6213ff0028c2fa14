// graphql-ws: the subprotocol graphql-transport-ws, with a subscription.
import assert from "node:assert/strict";
import type { Server as HttpServer } from "node:http";
// @ts-types="@types/ws"
import { WebSocket, WebSocketServer } from "ws";
import { within } from "../support/within.ts";
import { npmTest, requirePeer } from "./npm_peers.ts";

interface GraphQl {
  buildSchema(text: string): object;
}

interface Client {
  iterate(payload: { query: string }): AsyncIterableIterator<{ data: unknown }>;
  dispose(): void | Promise<void>;
}

interface ClientPackage {
  createClient(options: Record<string, unknown>): Client;
}

interface ServerPackage {
  useServer(options: object, server: WebSocketServer): { dispose(): Promise<void> };
}

const SCHEMA = "type Query { greeting: String } type Subscription { count(to: Int!): Int }";

const ROOT = {
  query: { greeting: () => "grüße" },
  subscription: {
    async *count({ to }: { to: number }) {
      for (let i = 1; i <= to; i++) yield { count: await Promise.resolve(i) };
    },
  },
};

function serve(folder: string, server: HttpServer) {
  const { buildSchema } = requirePeer<GraphQl>(folder, "graphql");
  const { useServer } = requirePeer<ServerPackage>(folder, "graphql-ws/use/ws");
  const sockets = new WebSocketServer({ server, path: "/graphql" });
  return useServer({ schema: buildSchema(SCHEMA), roots: ROOT }, sockets);
}

npmTest("graphql-ws: a query and a subscription", async (talk) => {
  const serving = serve(talk.folder, talk.server);
  const { createClient } = requirePeer<ClientPackage>(talk.folder, "graphql-ws");
  const { ca } = talk;
  const client = createClient({
    url: `${talk.wsOrigin}/graphql`,
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { ca });
      }
    },
    retryAttempts: 0,
    lazy: false,
    onNonLazyError: () => {},
  });
  const all = async (query: string) => {
    const results = [];
    for await (const { data } of client.iterate({ query })) results.push({ ...data as object });
    return results;
  };
  try {
    assert.deepEqual(await within("a query", all("{ greeting }")), [{ greeting: "grüße" }]);
    const counted = await within("a subscription", all("subscription { count(to: 100) }"));
    assert.deepEqual(counted, Array.from({ length: 100 }, (_, i) => ({ count: i + 1 })));
    const { http, subprotocol } = await talk.proxy.logged("ws.open");
    assert.deepEqual([http, subprotocol], ["1.1", "graphql-transport-ws"]);
  } finally {
    await client.dispose();
    const { by, code } = await talk.proxy.logged("ws.close");
    assert.deepEqual([by, code], ["client", 1000]);
    await serving.dispose();
  }
});
