// An abort over real connections, where the peer reads nothing and what is sent has no room: whatever
// waits settles at once, not when the peer reads on or its connection ends.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { NetError } from "../../src/net/error.ts";
import { withServer } from "../server/support.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MESSAGE = new Uint8Array(1024 * 1024);
/** More than all windows and buffers on the way take. */
const MESSAGES = 64;
/** Far below any deadline of the sockets, their streams or their connections. */
const AT_ONCE_MS = 1_500;

const WAYS = [
  { name: "HTTP/1.1", secure: false, httpVersion: "1.1" },
  { name: "HTTP/1.1 over TLS", secure: true, httpVersion: "1.1" },
  { name: "HTTP/2", secure: true, httpVersion: "2" },
  { name: "HTTP/3", secure: true, httpVersion: "3" },
] as const;

/** Fills all that takes anything; gives what waits then. */
async function fill(socket: Socket): Promise<Promise<unknown>[]> {
  const sends = Array.from({ length: MESSAGES }, () => socket.send(MESSAGE));
  let before = -1;
  let same = 0;
  await until("a peer that takes no more", () => {
    const now = socket.bufferedAmount;
    same = now === before ? same + 1 : 0;
    before = now;
    return same === 20;
  });
  assert.ok(before > 0, "something waits");
  return [sends.at(-1)!, socket.ping(), socket.pong(), socket.send("last")];
}

for (const { name, secure, httpVersion } of WAYS) {
  for (const role of ["client", "server"] as const) {
    for (const closing of [false, true]) {
      const doing = closing ? "while its Close waits" : "while sends wait";
      Deno.test(`abort, ${name}, ${role}: ${doing} for a peer that does not read: all settle at once`, async () => {
        const accepted = Promise.withResolvers<Socket>();
        await withServer({}, async (request) => {
          const socket = await request.accept();
          accepted.resolve(socket);
          await socket.closed;
        }, async ({ port, plainPort, caPem }) => {
          using connections = new Connections();
          const url = secure ? `wss://localhost:${port}/` : `ws://127.0.0.1:${plainPort}/`;
          const options = { httpVersion, connections, caCerts: [caPem] };
          const client = await connectWebSocket(url, options);
          const server = await accepted.promise;
          const [socket, peer] = role === "client" ? [client, server] : [server, client];
          const waiting = await fill(socket);
          if (closing) waiting.push(socket.close());
          socket.abort("enough");
          const settled = await within("all", Promise.allSettled(waiting), AT_ONCE_MS);
          for (const one of settled.slice(0, 4)) {
            assert.ok(one.status === "rejected" && one.reason instanceof NetError, one.status);
          }
          assert.equal((await socket.closed).code, 1006);
          peer.abort();
        });
      });
    }
  }
}
