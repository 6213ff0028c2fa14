// Handlers of `serve` with clients that are none of ours: aioquic, quiche, node:http2, npm's ws and
// Python's websockets.
import assert from "node:assert/strict";
import type { Socket } from "../../src/endpoint/socket.ts";
import type { HttpVersion } from "../../src/ingress/offer.ts";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import type { WebSocketRequest } from "../../src/server/request.ts";
import { type TestServer, withServer } from "../server/support.ts";
import {
  ANSWER,
  Arrivals,
  type Asked,
  type ClientPeer,
  NOTHING,
  type Pair,
  REFUSAL,
  SUBPROTOCOL,
} from "./ends.ts";
import { libraryTests, type Talk } from "./library_flows.ts";
import { NodeHttp2 } from "./node_http2.ts";
import { peerTests } from "./peers.ts";
import { PythonClient } from "./python_websockets.ts";
import { Quiche } from "./quiche.ts";
import { wsClient, wsClientOver } from "./ws_peers.ts";

interface Row {
  name: string;
  http: HttpVersion;
  test?: (name: string, body: (where: string) => Promise<void>) => void;
  connect: (t: TestServer, where: string) => ClientPeer | Promise<ClientPeer>;
}

const plainTest = (name: string, body: (where: string) => Promise<void>) =>
  Deno.test(name, () => body(""));
const pythonTest = peerTests("H3WS_PYTHON");
const python = (http: "1.1" | "3", secure = true) => (t: TestServer, where: string) =>
  PythonClient.start({
    ...{ python: where, http, caPem: t.caPem },
    url: secure ? `wss://localhost:${t.port}` : `ws://localhost:${t.plainPort}`,
  });

const ROWS: readonly Row[] = [
  { name: "aioquic and websockets", http: "3", test: pythonTest, connect: python("3") },
  {
    ...{ name: "quiche and ws", http: "3", test: peerTests("H3WS_QUICHE") },
    connect: async ({ port, caPem }, folder) =>
      wsClientOver(await Quiche.connect(folder, port, caPem)),
  },
  {
    ...{ name: "node:http2 and ws", http: "2" },
    connect: async ({ port, caPem }) =>
      wsClientOver(await NodeHttp2.connect(`https://localhost:${port}`, caPem)),
  },
  {
    ...{ name: "node:http2 and ws in clear text", http: "2" },
    connect: async ({ plainPort, caPem }) =>
      wsClientOver(await NodeHttp2.connect(`http://localhost:${plainPort}`, caPem)),
  },
  {
    ...{ name: "npm:ws", http: "1.1" },
    connect: ({ port, caPem }) => wsClient(`wss://localhost:${port}`, caPem),
  },
  {
    ...{ name: "npm:ws in clear text", http: "1.1" },
    connect: ({ plainPort, caPem }) => wsClient(`ws://localhost:${plainPort}`, caPem),
  },
  { name: "websockets", http: "1.1", test: pythonTest, connect: python("1.1") },
  {
    ...{ name: "websockets in clear text", http: "1.1", test: pythonTest },
    connect: python("1.1", false),
  },
];

type Taken = Pick<Pair, "ours" | "pings" | "pongs"> & {
  type: "socket";
  request: WebSocketRequest;
};

/** Takes each WebSocket but those for /refused, and leaves it to the test. */
function leaveTo(taken: Arrivals<Taken>): WebSocketHandler {
  return async (request) => {
    if (request.path === "/refused") return await request.reject(403, {}, REFUSAL);
    const pings: string[] = [];
    const pongs: string[] = [];
    const ours: Socket = await request.accept({
      protocol: request.subprotocols.find((offered) => offered === SUBPROTOCOL),
      headers: [[...ANSWER]],
      onPing: (payload) => pings.push(new TextDecoder().decode(payload)),
      onPong: (payload) => pongs.push(new TextDecoder().decode(payload)),
    });
    taken.put({ type: "socket", request, ours, pings, pongs });
    await ours.closed;
  };
}

async function openAt(peer: ClientPeer, taken: Arrivals<Taken>, asked: Asked): Promise<Pair> {
  const [theirs, { request, ...ours }] = await Promise.all([
    peer.open(asked),
    taken.expect("socket"),
  ]);
  const { rawPath, queryString, headers } = request;
  assert.equal(request.path, decodeURIComponent(rawPath));
  assert.match(headers.get("host")!, /^localhost/);
  const path = queryString === "" ? rawPath : `${rawPath}?${queryString}`;
  return { ...ours, theirs, asked: { path, headers }, answered: theirs.headers };
}

for (const { name, http, test = plainTest, connect } of ROWS) {
  libraryTests({
    ...{ name: `serve at ${name}, HTTP/${http}`, test },
    async run(where, permessageDeflate, body) {
      const taken = new Arrivals<Taken>("at the handler");
      await withServer({ permessageDeflate }, leaveTo(taken), async (t) => {
        await using peer = await connect(t, where);
        const talk: Talk = {
          ...{ ours: "server", http },
          open: (asked = {}) => openAt(peer, taken, { ...NOTHING, ...asked }),
          refused: () => peer.refused({ ...NOTHING, path: "/refused" }),
          connections: () => t.server.connections,
          leave: () => peer.leave(),
        };
        await body(talk);
        assert.deepEqual(t.errors(), []);
      });
    },
  });
}
