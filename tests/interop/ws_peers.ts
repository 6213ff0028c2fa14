// npm's ws as clients and servers: over TCP, and on the streams of what else speaks HTTP/2 and
// HTTP/3.
import assert from "node:assert/strict";
import * as http from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { WebSocket, WebSocketServer } from "ws";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { type Inbox, latin1 } from "../support/inbox.ts";
import { testCertificates } from "../support/proxy.ts";
import { connectFields } from "../support/raw_h3.ts";
import { within } from "../support/within.ts";
import {
  ANSWER,
  Arrivals,
  type Asked,
  type ClientPeer,
  REFUSAL,
  type ServerPeer,
  SUBPROTOCOL,
  type TheirEnd,
  toHeaders,
} from "./ends.ts";
import { NodeHttp2Server } from "./node_http2_server.ts";
import { WsDeflate, WsEnd, wsOver, type WsSeen } from "./ws_end.ts";

/** By HTTP/1.1; the URL is that up to the path. */
export function wsClient(url: string, ca: string): ClientPeer {
  const sockets = new Set<WebSocket>();
  const ask = ({ path, protocols, deflate, headers }: Asked) => {
    const socket = new WebSocket(url + path, protocols, {
      ca,
      headers: Object.fromEntries(headers),
      perMessageDeflate: deflate && { threshold: 0 },
    });
    sockets.add(socket);
    return socket;
  };
  return {
    open(asked) {
      const socket = ask(asked);
      return within(
        "ws to be open",
        new Promise<TheirEnd>((resolve, reject) => {
          socket.once("error", reject);
          socket.once("upgrade", ({ headers }) => {
            const end = new WsEnd(socket, { headers: toHeaders(Object.entries(headers)) });
            socket.once("open", () => resolve(end));
          });
        }),
      );
    },
    async refused(asked) {
      const socket = ask(asked);
      const response = await within(
        "a refusal of ws",
        new Promise<http.IncomingMessage>((resolve, reject) => {
          socket.once("unexpected-response", (_request, response) => resolve(response));
          socket.once("open", () => reject(new Error("It was opened")));
        }),
      );
      const chunks: Uint8Array[] = [];
      for await (const chunk of response) chunks.push(chunk);
      return { status: response.statusCode!, body: chunks.map(latin1).join("") };
    },
    leave() {
      for (const socket of sockets) socket.terminate();
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A stream of another's HTTP/2 or HTTP/3. */
export interface ForeignStream {
  readonly stream: Duplex;
  readonly inbox: Inbox;
  fields(): Promise<Field[]>;
  /** Left out where its end by `destroy` is a reset. */
  reset?(): void;
}

/** One connection of another's. */
export interface ForeignConnection extends AsyncDisposable {
  request(fields: readonly Field[]): ForeignStream | Promise<ForeignStream>;
  /** Ends it at once. */
  leave(): Promise<void>;
}

/** By extended CONNECT (RFC 8441, RFC 9220). */
export function wsClientOver(connection: ForeignConnection): ClientPeer {
  const ask = async ({ path, protocols, headers }: Asked, deflate?: WsDeflate) => {
    const fields: Field[] = [["sec-websocket-version", "13"], ...headers];
    if (protocols.length > 0) fields.push(["sec-websocket-protocol", protocols.join(", ")]);
    if (deflate !== undefined) fields.push(["sec-websocket-extensions", deflate.offer()]);
    const foreign = await connection.request(connectFields({ path }, fields));
    const head = await foreign.fields();
    const reset = foreign.reset?.bind(foreign);
    return { stream: foreign.stream, inbox: foreign.inbox, reset, head };
  };
  return {
    async open(asked) {
      const deflate = asked.deflate ? new WsDeflate("client") : undefined;
      const { stream, reset, head } = await ask(asked, deflate);
      assert.equal(getField(head, ":status"), "200");
      const agreed = getField(head, "sec-websocket-extensions");
      if (agreed !== null) deflate!.accept(agreed);
      const protocol = getField(head, "sec-websocket-protocol") ?? "";
      const socket = wsOver(stream, {
        ...{ role: "client", protocol },
        ...agreed !== null && { deflate },
      });
      const end = new WsEnd(socket, { headers: toHeaders(head), reset });
      stream.resume();
      return end;
    },
    async refused(asked) {
      const { stream, inbox, head } = await ask(asked);
      const body = latin1(await inbox.rest());
      stream.end();
      return { status: Number(getField(head, ":status")), body };
    },
    leave: () => connection.leave(),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

const isRefused = (path: string) => path.startsWith("/refused");

/** By HTTP/1.1. */
export async function wsServer(secure: boolean): Promise<ServerPeer> {
  const { certPem, keyPem } = await testCertificates();
  const server = secure ? https.createServer({ cert: certPem, key: keyPem }) : http.createServer();
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
    verifyClient: ({ req }, done) => isRefused(req.url!) ? done(false, 403, REFUSAL) : done(true),
  });
  const came = new Arrivals<{ type: "socket"; end: WsEnd }>("at a server of ws");
  let count = 0;
  sockets.on("headers", (lines) => lines.push(ANSWER.join(": ")));
  sockets.on("connection", (socket, { headers, url }) => {
    count++;
    const seen = { headers: toHeaders(Object.entries(headers)), path: url };
    came.put({ type: "socket", end: new WsEnd(socket, seen) });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const leave = async () => {
    for (const socket of sockets.clients) socket.terminate();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return {
    origin: `${secure ? "wss" : "ws"}://localhost:${(server.address() as AddressInfo).port}`,
    accept: async () => (await came.expect("socket")).end,
    connections: () => count,
    ...{ leave, [Symbol.asyncDispose]: leave },
  };
}

/** By extended CONNECT at node:http2. */
export async function wsHttp2Server(secure: boolean): Promise<ServerPeer> {
  const came = new Arrivals<{ type: "socket"; end: WsEnd }>("at node:http2");
  const sessions = new Set<unknown>();
  const server = await NodeHttp2Server.listen({
    plain: !secure,
    take(stream, headers) {
      const path = headers[":path"]!;
      if (isRefused(path)) {
        stream.respond({ ":status": 403 });
        return void stream.end(REFUSAL);
      }
      sessions.add(stream.session);
      const seen = { headers: toHeaders(Object.entries(headers)), path };
      came.put({ type: "socket", end: acceptHttp2(stream, seen) });
    },
  });
  return {
    origin: `${secure ? "wss" : "ws"}://localhost:${server.port}`,
    accept: async () => (await came.expect("socket")).end,
    connections: () => sessions.size,
    leave: () => server[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      const { faults } = server;
      assert.deepEqual(faults.filter((fault) => fault !== "the client's GOAWAY with 0"), []);
    },
  };
}

function acceptHttp2(stream: ServerHttp2Stream, seen: WsSeen): WsEnd {
  const { headers } = seen;
  const offered = headers.get("sec-websocket-protocol")?.split(/, */) ?? [];
  const protocol = offered.includes(SUBPROTOCOL) ? SUBPROTOCOL : "";
  const offer = headers.get("sec-websocket-extensions");
  const deflate = offer === null ? undefined : new WsDeflate("server");
  const extensions = deflate?.accept(offer!);
  stream.respond({
    ":status": 200,
    ...Object.fromEntries([ANSWER]),
    ...protocol !== "" && { "sec-websocket-protocol": protocol },
    ...extensions !== undefined && { "sec-websocket-extensions": extensions },
  });
  return new WsEnd(wsOver(stream, { role: "server", protocol, deflate }), seen);
}
