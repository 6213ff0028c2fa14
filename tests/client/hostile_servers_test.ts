// Servers that say anything but what is right, to the WebSocket of the WHATWG: it tells what it has to
// tell once, in its order, and is over.
import assert from "node:assert/strict";
import { Connections } from "../../src/client/connections.ts";
import { WebSocket3 } from "../../src/client/websocket3.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { MessageDecoder } from "../../src/protocol/websocket/decoder.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { fromLatin1, latin1 } from "../support/inbox.ts";
import { within } from "../support/within.ts";
import { ABNORMAL, closeOf, watch } from "./websocket3_support.ts";

interface Row {
  name: string;
  /** What is said for that key. */
  says: (key: string) => Uint8Array;
  /** Said again and again behind that. */
  endless?: Uint8Array;
  told: string[];
  /** Of the Close that the server gets; `null` for none. */
  code: number | null;
}

const switching = (key: string, more = "") =>
  fromLatin1(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${acceptFor(key, sha1)}\r\n${more}\r\n`,
  );
const frames = (...bytes: number[]) => (key: string) =>
  concat([switching(key), Uint8Array.of(...bytes)]);
const head = (text: string) => () => fromLatin1(text);
const many = (...bytes: number[]) => concat(Array<Uint8Array>(2_000).fill(Uint8Array.of(...bytes)));

/** It was never open. */
const REFUSED = { told: ["error", "close"], code: null };
/** RFC 6455 §7.1.7: it has failed. */
const FAILED = ["open", "error", "close"];
const OK = "HTTP/1.1 200 OK\r\n";

const ROWS: Row[] = [
  { name: "no HTTP", says: head("\x16\x03\x01 hello\r\n\r\n"), ...REFUSED },
  {
    name: "a head without end",
    says: head(OK),
    endless: fromLatin1("a: b\r\n".repeat(999)),
    ...REFUSED,
  },
  {
    name: "1xx without end",
    says: head(""),
    endless: fromLatin1("HTTP/1.1 100 Continue\r\n\r\n".repeat(999)),
    ...REFUSED,
  },
  {
    name: "a refusal without end",
    says: head("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"),
    endless: fromLatin1("1\r\nx\r\n".repeat(999)),
    ...REFUSED,
  },
  { name: "a wrong accept", says: () => switching("other"), ...REFUSED },
  {
    name: "an extension",
    says: (key) => switching(key, "Sec-WebSocket-Extensions: x\r\n"),
    ...REFUSED,
  },
  {
    name: "a subprotocol",
    says: (key) => switching(key, "Sec-WebSocket-Protocol: x\r\n"),
    ...REFUSED,
  },
  { name: "the end", says: head(""), ...REFUSED },
  { name: "101 and the end", says: switching, told: FAILED, code: null },
  { name: "a masked frame", says: frames(0x81, 0x81, 1, 2, 3, 4, 5), told: FAILED, code: 1002 },
  { name: "a reserved opcode", says: frames(0x83, 0), told: FAILED, code: 1002 },
  { name: "RSV1", says: frames(0xc1, 0), told: FAILED, code: 1002 },
  { name: "text that is no UTF-8", says: frames(0x81, 1, 0xff), told: FAILED, code: 1007 },
  { name: "a Close of one byte", says: frames(0x88, 1, 3), told: FAILED, code: 1002 },
  {
    name: "a frame of 2^63 - 1 bytes",
    says: frames(0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255),
    ...{ told: FAILED, code: 1009 },
  },
  {
    name: "empty fragments without end, and a message within them",
    says: frames(0x02, 0),
    endless: concat([many(0x00, 0x00), Uint8Array.of(0x81, 0x00)]),
    ...{ told: FAILED, code: 1002 },
  },
  {
    name: "Pings without end, and a frame that is wrong",
    says: switching,
    endless: concat([many(0x89, 0x00), Uint8Array.of(0x83, 0x00)]),
    ...{ told: FAILED, code: 1002 },
  },
];

/** Gives the code of the Close that comes. */
async function speak(conn: Deno.Conn, { says, endless }: Row): Promise<number | null> {
  const buffer = new Uint8Array(10_000);
  const got = await conn.read(buffer);
  const key = /sec-websocket-key: (.*)\r/i.exec(latin1(buffer.subarray(0, got ?? 0)))![1];
  const code = closeCodeFrom(conn);
  try {
    for (let bytes = says(key);; bytes = endless) {
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      if (endless === undefined) break;
    }
    await conn.closeWrite();
  } catch {
    // It takes no more.
  }
  return await code;
}

async function closeCodeFrom(conn: Deno.Conn): Promise<number | null> {
  const limits = { maxFrameBytes: 1_000, maxMessageBytes: 1_000, allowedRsv: 0 };
  const decoder = new MessageDecoder({ masked: true, ...limits });
  const buffer = new Uint8Array(10_000);
  let code: number | null = null;
  for (;;) {
    const got = await conn.read(buffer).catch(() => null);
    if (got === null) return code;
    decoder.push(buffer.subarray(0, got));
    for (let event = decoder.next(); event !== null; event = decoder.next()) {
      if (event.type === "close") code = event.code;
    }
  }
}

for (const row of ROWS) {
  Deno.test(`WebSocket3: a server that says ${row.name}`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = (async () => {
      using conn = await listener.accept();
      return await speak(conn, row);
    })();
    using connections = new Connections();
    const options = { connections, httpVersion: "1.1" as const };
    const ws = new WebSocket3(`ws://127.0.0.1:${listener.addr.port}/`, options);
    const { told, next } = watch(ws);
    assert.deepEqual(closeOf(await next("close")), ABNORMAL);
    assert.equal(await within("the end of the connection", served), row.code);
    assert.deepEqual([told, ws.readyState], [row.told, 3]);
    assert.throws(() => ws.close(1), { name: "InvalidAccessError" });
    ws.send("into nothing");
    ws.close();
  });
}
