// aioquic breaks the rules of HTTP/3 and sees by which code the connection ends; what it breaks on
// one stream alone hurts no other.
import assert from "node:assert/strict";
import { H3Code } from "../../src/protocol/http3/codes.ts";
import { QpackCode } from "../../src/protocol/qpack/codes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { withProxy } from "../support/proxy.ts";
import { connectFields } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { type Aioquic, connectAioquic } from "./aioquic.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_PYTHON");
const CONNECT = connectFields({}, [["sec-websocket-version", "13"]]);
const GET_HEALTHZ = connectFields({ method: "GET", protocol: null, path: "/healthz" });

const NAMES = new Map<number, string>(
  Object.entries({ ...H3Code, ...QpackCode }).map(([name, code]) => [code, name]),
);
const nameOf = (code: number) => NAMES.get(code) ?? `0x${code.toString(16)}`;

/** Bytes on a new stream. */
interface Sent {
  hex: string;
  uni?: true;
  end?: true;
}

interface BadRow {
  name: string;
  /** Instead of what aioquic opens itself: its control stream and those of QPACK. */
  raw?: true;
  send: Sent[];
  code: number;
}

/** A control stream of the test's own, from its first frame on. */
function control(name: string, hex: string, code: number): BadRow {
  return { name, raw: true, send: [{ uni: true, hex: `00 ${hex}` }], code };
}

/** Unidirectional streams beside a control stream that is right. */
function uni(name: string, hexes: string[], code: number): BadRow {
  const send = ["00 0400", ...hexes].map((hex): Sent => ({ uni: true, hex }));
  return { name, raw: true, send, code };
}

function request(name: string, hex: string, code: number): BadRow {
  return { name, send: [{ hex }], code };
}

const {
  H3_MISSING_SETTINGS,
  H3_SETTINGS_ERROR,
  H3_FRAME_UNEXPECTED,
  H3_FRAME_ERROR,
  H3_ID_ERROR,
  H3_STREAM_CREATION_ERROR,
  H3_CLOSED_CRITICAL_STREAM,
} = H3Code;
const { QPACK_DECOMPRESSION_FAILED, QPACK_ENCODER_STREAM_ERROR, QPACK_DECODER_STREAM_ERROR } =
  QpackCode;

const BAD: BadRow[] = [
  control("RFC 9114 §6.2.1: GOAWAY before SETTINGS", "07 01 00", H3_MISSING_SETTINGS),
  control("RFC 9114 §6.2.1: an unknown frame before SETTINGS", "21 00", H3_MISSING_SETTINGS),
  control("RFC 9114 §7.2.4: a second SETTINGS", "0400 0400", H3_FRAME_UNEXPECTED),
  control("RFC 9114 §7.2.4: a setting twice", "0404 0601 0601", H3_SETTINGS_ERROR),
  control("RFC 9114 §7.2.4.1: a setting of HTTP/2", "0402 0200", H3_SETTINGS_ERROR),
  control("RFC 8441 §3: ENABLE_CONNECT_PROTOCOL = 2", "0402 0802", H3_SETTINGS_ERROR),
  control("RFC 9114 §7.1: SETTINGS with half a setting", "0401 06", H3_FRAME_ERROR),
  control("RFC 9114 §7.2.1: DATA on a control stream", "0400 0000", H3_FRAME_UNEXPECTED),
  control("RFC 9114 §7.2.2: HEADERS on a control stream", "0400 0100", H3_FRAME_UNEXPECTED),
  control("RFC 9114 §7.2.8: PRIORITY of HTTP/2", "0400 0200", H3_FRAME_UNEXPECTED),
  control("RFC 9114 §7.2.8: PING of HTTP/2", "0400 0600", H3_FRAME_UNEXPECTED),
  control("RFC 9114 §7.2.7: MAX_PUSH_ID shrinks", "0400 0d0105 0d0104", H3_ID_ERROR),
  control("RFC 9114 §7.2.3: CANCEL_PUSH of no push", "0400 030100", H3_ID_ERROR),
  control("RFC 9114 §5.2: GOAWAY grows", "0400 070104 070108", H3_ID_ERROR),
  uni("RFC 9114 §6.2.1: a second control stream", ["00 0400"], H3_STREAM_CREATION_ERROR),
  uni("RFC 9204 §4.2: a second encoder stream", ["02", "02"], H3_STREAM_CREATION_ERROR),
  uni("RFC 9204 §4.2: a second decoder stream", ["03", "03"], H3_STREAM_CREATION_ERROR),
  uni("RFC 9114 §6.2.2: a push stream from a client", ["01 00"], H3_STREAM_CREATION_ERROR),
  {
    name: "RFC 9114 §6.2.1: the control stream ends",
    raw: true,
    send: [{ uni: true, hex: "00 0400", end: true }],
    code: H3_CLOSED_CRITICAL_STREAM,
  },
  {
    name: "RFC 9204 §4.2: the encoder stream ends",
    raw: true,
    send: [{ uni: true, hex: "00 0400" }, { uni: true, hex: "02", end: true }],
    code: H3_CLOSED_CRITICAL_STREAM,
  },
  uni("RFC 9204 §4.3.1: more capacity than 0", ["02 21"], QPACK_ENCODER_STREAM_ERROR),
  uni("RFC 9204 §3.2.2: an insertion", ["02 c1 01 61"], QPACK_ENCODER_STREAM_ERROR),
  uni("RFC 9204 §4.4.1: an acknowledgment of nothing", ["03 80"], QPACK_DECODER_STREAM_ERROR),
  uni("RFC 9204 §4.4.3: an increment of nothing", ["03 01"], QPACK_DECODER_STREAM_ERROR),
  request("RFC 9114 §4.1: DATA before HEADERS", "0000", H3_FRAME_UNEXPECTED),
  request("RFC 9114 §7.2.8: PRIORITY of HTTP/2 on a request stream", "0200", H3_FRAME_UNEXPECTED),
  request("RFC 9114 §7.2.8: CONTINUATION of HTTP/2", "0900", H3_FRAME_UNEXPECTED),
  request("RFC 9114 §7.2.4: SETTINGS on a request stream", "0400", H3_FRAME_UNEXPECTED),
  request("RFC 9114 §7.2.6: GOAWAY on a request stream", "070100", H3_FRAME_UNEXPECTED),
  request("RFC 9114 §7.2.7: MAX_PUSH_ID on a request stream", "0d0100", H3_FRAME_UNEXPECTED),
  request("RFC 9114 §7.2.5: PUSH_PROMISE from a client", "050100", H3_FRAME_UNEXPECTED),
  {
    name: "RFC 9114 §7.1: a frame that the end of its stream cuts",
    send: [{ hex: "0105 00", end: true }],
    code: H3_FRAME_ERROR,
  },
  request(
    "RFC 9204 §2.2.3: a reference into the empty dynamic table",
    "0103 0000 80",
    QPACK_DECOMPRESSION_FAILED,
  ),
  request("RFC 9204 §3.1: static index 99", "0104 0000 ff24", QPACK_DECOMPRESSION_FAILED),
  request(
    "RFC 9204 §4.5.1.1: a Required Insert Count above the capacity",
    "0103 0500 80",
    QPACK_DECOMPRESSION_FAILED,
  ),
];

async function send(client: Aioquic, { hex, uni, end }: Sent): Promise<number> {
  await client.do("send", { hex: hex.replaceAll(" ", ""), uni, end });
  return (await client.event("sent")).stream!;
}

/** The connection goes on. */
async function lives(client: Aioquic): Promise<void> {
  const stream = await client.request(GET_HEALTHZ, true);
  assert.equal(await client.status(stream), 200);
}

/** The connection has ended by that code, from the server's side, and the proxy has told why. */
async function closedWith(client: Aioquic, code: number): Promise<void> {
  const closed = await client.event("closed");
  const { by, application, reason = "" } = closed;
  assert.equal(nameOf(closed.code!), nameOf(code), reason);
  assert.deepEqual({ by, application }, { by: "server", application: true });
  assert.notEqual(reason, "");
}

for (const { name, raw, send: streams, code } of BAD) {
  test(`aioquic, hostile: ${name}: ${nameOf(code)}`, async (python) => {
    await withProxy({}, async (t) => {
      await using client = await connectAioquic(python, t, { raw });
      for (const stream of streams) await send(client, stream);
      await closedWith(client, code);
      await until("the end of the connection", () => t.seen.connectionEnds.length === 1);
      assert.deepEqual(t.seen.failures.map(({ stage }) => stage), ["h3_framing"]);
      assert.equal(t.seen.connectionEnds[0].code, code);
    });
  });
}

test("aioquic, hostile: RFC 9114 §6.2.1: the control stream is reset: H3_CLOSED_CRITICAL_STREAM", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    // What is reset before it was read has no type. RFC 9000 §2.1: 2 is the first, for control.
    await lives(client);
    await client.do("reset", { stream: 2, code: H3Code.H3_NO_ERROR });
    await closedWith(client, H3_CLOSED_CRITICAL_STREAM);
  });
});

test("aioquic, hostile: RFC 9114 §6.2.1: our control stream is stopped: H3_CLOSED_CRITICAL_STREAM with our next frame on it", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    const stream = await client.request(CONNECT);
    await t.backend.upgrade();
    assert.equal(await client.status(stream), 200);
    // RFC 9000 §2.1: 3 is the first that a server opens one way.
    await client.do("stop", { stream: 3, code: H3Code.H3_NO_ERROR });
    await lives(client);
    const drained = t.proxy.drain(2_000);
    await closedWith(client, H3_CLOSED_CRITICAL_STREAM);
    await drained;
    assert.deepEqual(t.seen.failures.map(({ stage }) => stage), ["h3_framing"]);
    assert.equal(t.seen.connectionEnds[0].code, H3_CLOSED_CRITICAL_STREAM);
  });
});

/** An open session, to which `hex` is then sent on the stream itself. */
function testTunnel(name: string, sent: Omit<Sent, "uni">, code: number): void {
  test(`aioquic, hostile: ${name}: ${nameOf(code)}`, async (python) => {
    await withProxy({}, async (t) => {
      await using client = await connectAioquic(python, t);
      const stream = await client.request(CONNECT);
      const backend = await t.backend.upgrade();
      assert.equal(await client.status(stream), 200);
      await client.do("send", { ...sent, stream });
      await closedWith(client, code);
      await backend.inbox.rest();
      assert.equal((await t.seen.end()).by, "client");
    });
  });
}

testTunnel("RFC 9114 §4.4: HEADERS in a tunnel", { hex: "0100" }, H3_FRAME_UNEXPECTED);
testTunnel("RFC 9114 §7.1: DATA in a tunnel, cut", { hex: "00058180", end: true }, H3_FRAME_ERROR);

const MALFORMED: { name: string; fields: Field[] }[] = [
  { name: "RFC 9114 §4.2: a name in upper case", fields: [...CONNECT, ["X-Upper", "1"]] },
  { name: "RFC 9114 §4.2: Connection", fields: [...CONNECT, ["connection", "upgrade"]] },
  { name: "RFC 9114 §4.2: TE other than trailers", fields: [...CONNECT, ["te", "gzip"]] },
  { name: "RFC 9114 §4.3: a pseudo-header of answers", fields: [...CONNECT, [":status", "200"]] },
  { name: "RFC 9114 §4.3: a pseudo-header last", fields: [["x-a", "1"], ...CONNECT] },
  { name: "RFC 9114 §4.3.1: :path twice", fields: [[":path", "/ws"], ...CONNECT] },
  { name: "RFC 9114 §10.3: CR LF in a value", fields: [...CONNECT, ["x-a", "1\r\nx-b: 2"]] },
  { name: "RFC 8441 §4: no :path", fields: connectFields({ path: null }) },
  { name: "RFC 8441 §4: no :scheme", fields: connectFields({ scheme: null }) },
  { name: "RFC 8441 §4: :protocol without CONNECT", fields: connectFields({ method: "GET" }) },
];

for (const { name, fields } of MALFORMED) {
  test(`aioquic, hostile: ${name}: 400, and the connection lives`, async (python) => {
    await withProxy({}, async (t) => {
      await using client = await connectAioquic(python, t);
      const stream = await client.request(fields);
      assert.equal(await client.status(stream), 400);
      await client.event("end", stream);
      await lives(client);
      assert.equal(t.backend.connections.length, 0, "the backend is not asked");
    });
  });
}

test("aioquic, hostile: RFC 9114 §4.1: a stream ends before HEADERS, the connection lives", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    const stream = await send(client, { hex: "", end: true });
    await client.event("end", stream);
    await lives(client);
  });
});

test("aioquic: RFC 9114 §6.2.3: an unknown stream is stopped, the connection lives", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    const stream = await send(client, { uni: true, hex: "21 aabbcc" });
    await client.event("stop", stream);
    await lives(client);
  });
});

test("aioquic: RFC 9114 §9: unknown frames are skipped", async (python) => {
  await withProxy({}, async (t) => {
    await using client = await connectAioquic(python, t);
    // :method GET, :scheme https, :authority localhost, :path /healthz
    const block = "0000 d1 d7 50 09 6c6f63616c686f7374 51 08 2f6865616c74687a";
    const stream = await send(client, { hex: `21 03 ffffff 01 19 ${block} 40 40 00`, end: true });
    assert.equal(await client.status(stream), 200);
    await client.event("end", stream);
  });
});
