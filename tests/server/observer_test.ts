// What of a server's sockets is written where.
import assert from "node:assert/strict";
import { type ServerObserver, tellingOf } from "../../src/server/observer.ts";

type Closed = Parameters<ServerObserver["socketClosed"]>[0];

Deno.test("server log: a socket's time has one decimal, and an observer has it whole", () => {
  const lines: unknown[] = [];
  const closed: unknown[] = [];
  const info = (event: string, fields?: object) => void lines.push({ event, ...fields });
  const log = { info, warning: info, error: info };
  const telling = tellingOf(
    { socketClosed: ({ durationMs }) => void closed.push(durationMs) },
    log,
  );
  telling.socketClosed({ id: 1, durationMs: 12.345678 } as unknown as Closed);
  assert.deepEqual(lines, [{ event: "socket.closed", id: 1, durationMs: 12.3 }]);
  assert.deepEqual(closed, [12.345678]);
});
