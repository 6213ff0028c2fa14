// A server in the test's own process, its clients, and what it told. When a test is over it must have
// left nothing behind: that is checked here, for every test.
import assert from "node:assert/strict";
import type { WebSocketHandler } from "../../src/server/exchange.ts";
import type { LogFields } from "../../src/server/observer.ts";
import type { ServeOptions } from "../../src/server/options.ts";
import { serve, type Server } from "../../src/server/server.ts";
import { DoorPeers } from "../support/door_peers.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** A line of the log. */
export interface Line extends LogFields {
  level: string;
  event: string;
}

/** What a test has at hand. */
export interface TestServer {
  readonly server: Server;
  /** That of `listen`. */
  readonly port: number;
  /** That in clear text. */
  readonly plainPort: number;
  readonly caPem: string;
  /** Clients of every door. */
  readonly peers: DoorPeers;
  readonly lines: readonly Line[];
  /** The lines that tell of faults. */
  errors(): Line[];
  /** Sockets and requests that were refused: reasons and statuses. */
  readonly rejections: [string, number][];
  /** How sockets ended: by whom and with which code. */
  readonly ends: [string, number][];
}

/** Runs `body` with a server on free ports, over all versions if nothing else is said. */
export async function withServer(
  options: ServeOptions,
  handler: WebSocketHandler | null,
  body: (t: TestServer) => Promise<void>,
): Promise<void> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const lines: Line[] = [];
  const log = (level: string) => (event: string, fields: LogFields = {}) =>
    void lines.push({ ...fields, level, event });
  const rejections: [string, number][] = [];
  const ends: [string, number][] = [];
  let opened = 0;
  const server = await serve({
    ...{ listen: "127.0.0.1:0", plainListen: "127.0.0.1:0", certPem, keyPem },
    log: { info: log("info"), warning: log("warning"), error: log("error") },
    observer: {
      rejected: ({ reason, status }) => void rejections.push([reason, status]),
      socketOpened: () => void opened++,
      socketClosed: ({ by, code }) => void ends.push([by, code]),
      bug: (where, error) => void lines.push({ level: "bug", event: where, error: String(error) }),
    },
    ...options,
  }, handler);
  const port = server.port ?? 0;
  const plainPort = server.plainPort ?? 0;
  const peers = new DoorPeers({ port, plainPort, caPem });
  try {
    await body({
      ...{ server, port, plainPort, caPem, peers, lines, rejections, ends },
      errors: () => lines.filter(({ level }) => level === "error"),
    });
  } finally {
    await peers.close();
    await server.stop();
  }
  await until(
    "the end of every socket and connection",
    () => ends.length === opened && server.connections === 0,
  );
  assert.equal(server.sockets.size, 0);
  assert.deepEqual(lines.filter(({ level }) => level === "bug"), []);
}

/** Sends everything back, until the socket has ended. */
export const echo: WebSocketHandler = async (request) => {
  const socket = await request.accept({ protocol: request.subprotocols[0] });
  for await (const message of socket) await socket.send(message);
};
