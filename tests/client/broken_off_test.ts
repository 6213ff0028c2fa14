// A server that breaks off behind what it said: nobody is told to try TLS.
import assert from "node:assert/strict";
import { explain } from "../../src/cli/connect_explain.ts";
import { faultText } from "../../src/cli/load_fault.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { parseTarget } from "../../src/client/target.ts";
import { NetError } from "../../src/net/error.ts";
import { FrameType } from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { h2Frame, h2Settings, SETTINGS_ACK } from "../support/h2_frames.ts";
import { within } from "../support/within.ts";

const WELCOME = concat([h2Settings([[8, 1]]), SETTINGS_ACK]);

/** Says so much at each read, as long as there is more, and ends the connection behind the last. */
async function saying(says: Uint8Array[], body: (url: string) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async () => {
    for await (const conn of listener) {
      for (const bytes of says) {
        if (await conn.read(new Uint8Array(10_000)).catch(() => null) === null) break;
        await conn.write(bytes).catch(() => {});
      }
      conn.close();
    }
  };
  void serve().catch(() => {});
  await body(`ws://127.0.0.1:${listener.addr.port}/`);
}

const reset = (code: number) => h2Frame([FrameType.RST_STREAM, 0], 1, Uint8Array.of(0, 0, 0, code));

const ROWS: { name: string; http: "1.1" | "2"; says: Uint8Array[]; hinted: boolean }[] = [
  { name: "nothing over HTTP/1.1", http: "1.1", says: [], hinted: true },
  { name: "nothing over HTTP/2", http: "2", says: [], hinted: true },
  // REFUSED_STREAM, which is tried once more, and INTERNAL_ERROR.
  { name: "a refused stream", http: "2", says: [WELCOME, reset(7)], hinted: false },
  { name: "a reset stream", http: "2", says: [WELCOME, reset(2)], hinted: false },
  {
    name: "GOAWAY with an error",
    http: "2",
    says: [
      concat([WELCOME, h2Frame([FrameType.GOAWAY, 0], 0, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 2))]),
    ],
    hinted: false,
  },
];

for (const { name, http, says, hinted } of ROWS) {
  Deno.test(`client: a server in clear text that says ${name}: TLS is ${hinted ? "" : "not "}what to try`, async () => {
    await saying(says, async (url) => {
      const opening = connectWebSocket(url, { httpVersion: http, timeoutMs: 3_000 });
      const error = await within("the end", opening.then(() => null, (error) => error));
      assert.ok(error instanceof NetError, `${error}`);
      assert.equal(/if it is TLS that is spoken there, use wss:$/.test(error.message), hinted);
      const target = parseTarget(url);
      const told = faultText(error, { target, http, timeoutMs: 3_000 });
      assert.equal(/TLS/.test(told), hinted, told);
      const attempt = { url, http: "auto" as const, caFile: null, timeoutMs: 3_000, proxy: null };
      assert.equal(/TLS/.test(explain(error, attempt)), hinted);
    });
  });
}
