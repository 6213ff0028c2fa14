// Backends that answer what no backend should: through every door the client sees a 502, or an answer
// that is visibly broken, and no byte of it reaches the next client.
import assert from "node:assert/strict";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { type Doors, withDoors } from "../support/doors.ts";
import { connectFields } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";

/** What a client saw: the status, the content as far as it came, and whether it looked whole. */
interface Seen {
  status: number | null;
  body: string;
  whole: boolean;
}

type Ask = (t: Doors) => Promise<Seen>;

const REQUEST = "GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n";

/** RFC 9112 §8: an answer is whole when its length, or its last chunk, has come. */
function readH1(got: string): Seen {
  const begin = got.search(/HTTP\/1\.1 (?!1)/);
  if (begin < 0) return { status: null, body: "", whole: false };
  const end = got.indexOf("\r\n\r\n", begin);
  const head = got.slice(begin, end + 2);
  const rest = got.slice(end + 4);
  const status = Number(head.slice(9, 12));
  if (/\r\ntransfer-encoding: chunked/i.test(head)) {
    const body = [...rest.matchAll(/(?:^|\r\n)([0-9a-f]+)\r\n([^\r]*)/gi)].map((m) => m[2]);
    return { status, body: body.join(""), whole: /(?:^|\r\n)0\r\n(?:[^\r]+\r\n)*\r\n$/.test(rest) };
  }
  const length = /\r\ncontent-length: ([0-9]+)/i.exec(head)?.[1];
  return { status, body: rest, whole: length === undefined || rest.length === Number(length) };
}

async function askH1(t: Doors, secure: boolean): Promise<Seen> {
  const client = await (secure ? t.h1s() : t.h1());
  client.send(REQUEST);
  const over = () => client.isOver || readH1(client.got).whole;
  await until("an answer by HTTP/1.1", over);
  return readH1(client.got);
}

async function askH2(t: Doors, secure: boolean): Promise<Seen> {
  const client = await (secure ? t.h2() : t.h2c());
  const { status, body, ended, reset } = await client.get("/x");
  // RFC 9113 §8.1.1: what is not whole ends with RST_STREAM, and not with NO_ERROR.
  if (!ended) assert.ok(reset !== null && reset !== H2Code.NO_ERROR, `reset ${reset}`);
  assert.deepEqual(client.goaways, []);
  return { status, body, whole: ended };
}

async function askH3(t: Doors): Promise<Seen> {
  const quic = await t.connect();
  const fields = connectFields({ method: "GET", protocol: null, path: "/x" });
  const stream = await quic.request(fields);
  await stream.fin();
  const { status, body } = await stream.answer();
  // RFC 9114 §4.3: trailers with a pseudo-header field are malformed, and with them the message.
  const broken = stream.trailers?.some(([name]) => name.startsWith(":")) ?? false;
  return { status, body, whole: !broken && stream.inbox.ending === "fin" };
}

const DOORS: Record<string, Ask> = {
  h1: (t) => askH1(t, false),
  h1s: (t) => askH1(t, true),
  h2c: (t) => askH2(t, false),
  h2: (t) => askH2(t, true),
  h3: askH3,
};

interface Row {
  name: string;
  /** What it answers, and how it goes on once it has been read. */
  answer: string;
  then?: "fin" | "reset";
  /** `null`: 502. Else the content that comes before it breaks off. */
  body: string | null;
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const ROWS: Row[] = [
  {
    name: "a 101 that nobody asked for",
    answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    body: null,
  },
  {
    name: "two lengths",
    answer: `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`,
    body: null,
  },
  {
    name: "Content-Length with Transfer-Encoding",
    answer: `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    body: null,
  },
  { name: "NUL in a value", answer: `${OK}X: a\0b\r\nContent-Length: 0\r\n\r\n`, body: null },
  { name: "a bare CR in a value", answer: `${OK}X: a\rb\r\nContent-Length: 0\r\n\r\n`, body: null },
  { name: "no HTTP", answer: "220 mail.example ESMTP\r\n\r\n", body: null },
  {
    name: "interim answers without end",
    answer: "HTTP/1.1 102 x\r\n\r\n".repeat(10_000),
    body: null,
  },
  { name: "a head of 10 MiB", answer: `${OK}X: ${"x".repeat(10 << 20)}\r\n\r\n`, body: null },
  { name: "a head that never ends", answer: OK + "X: y\r\n".repeat(100_000), body: null },
  { name: "FIN in its head", answer: `${OK}Content-Le`, then: "fin", body: null },
  { name: "FIN before its head", answer: "", then: "fin", body: null },
  { name: "RST before its head", answer: "", then: "reset", body: null },
  { name: "FIN in a chunk", answer: `${CHUNKED}3\r\nabc\r\n9\r\ndef`, then: "fin", body: "abcdef" },
  {
    name: "FIN without the last chunk",
    answer: `${CHUNKED}3\r\nabc\r\n`,
    then: "fin",
    body: "abc",
  },
  {
    name: "RST without the last chunk",
    answer: `${CHUNKED}3\r\nabc\r\n`,
    then: "reset",
    body: "abc",
  },
  {
    name: "FIN in its trailers",
    answer: `${CHUNKED}3\r\nabc\r\n0\r\nX: y`,
    then: "fin",
    body: "abc",
  },
  { name: "a chunk that is none", answer: `${CHUNKED}3\r\nabc\r\nxyz\r\n`, body: "abc" },
  { name: "data beyond its chunk", answer: `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`, body: "abc" },
  {
    name: "content shorter than its length",
    answer: `${OK}Content-Length: 9\r\n\r\nabc`,
    then: "fin",
    body: "abc",
  },
  {
    name: "RST in content that has no length",
    answer: `${OK}\r\nabc`,
    then: "reset",
    body: "abc",
  },
];

for (const [door, ask] of Object.entries(DOORS)) {
  Deno.test(`hostile backend: through ${door} a broken answer is a 502, or does not look whole`, async () => {
    for (const row of ROWS) {
      await withDoors({}, async (t) => {
        const asked = ask(t);
        const conn = await t.backend.accept();
        await conn.request();
        conn.write(row.answer);
        if (row.then === "fin") conn.fin();
        if (row.then === "reset") {
          // RST overtakes what was not read yet.
          await new Promise((resolve) => setTimeout(resolve, 50));
          conn.reset();
        }
        const seen = await asked;
        await assertSeen(t, row, seen);
      });
    }
  });
}

async function assertSeen({ seen }: Doors, row: Row, client: Seen): Promise<void> {
  if (row.body === null) {
    assert.deepEqual([client.status, client.whole], [502, true], row.name);
    assert.deepEqual(seen.failures.map(({ stage }) => stage), ["backend_handshake"], row.name);
    return;
  }
  assert.deepEqual(client, { status: 200, body: row.body, whole: false }, row.name);
  await until("the record", () => seen.requests.length > 0);
  assert.deepEqual(seen.requests.length, 1, row.name);
  assert.match(seen.requests[0].broken, /^backend: /, row.name);
  assert.deepEqual(seen.failures, [], `${row.name}: it is told once`);
}

const EVIL = `${OK}Content-Length: 4\r\n\r\nevil`;

const NEXT: [name: string, first: string, later: string][] = [
  ["bytes behind an answer", `${OK}Content-Length: 2\r\n\r\nok${EVIL}`, ""],
  ["bytes behind a last chunk", `${CHUNKED}2\r\nok\r\n0\r\n\r\n${EVIL}`, ""],
  ["an answer before the request", `${OK}Content-Length: 2\r\n\r\nok`, EVIL],
  ["a blank line behind an answer", `${OK}Content-Length: 2\r\n\r\nok\r\n`, EVIL],
];

for (const [name, first, later] of NEXT) {
  Deno.test(`hostile backend: ${name} never reaches the next client`, async () => {
    await withDoors({}, async (t) => {
      const client = await t.h1();
      client.send(REQUEST);
      const conn = await t.backend.accept();
      await conn.request();
      conn.write(first);
      await until("the first answer", () => readH1(client.got).whole);
      assert.equal(readH1(client.got).status, 200);
      assert.doesNotMatch(client.got, /evil/);
      conn.write(later);
      // The proxy gives that connection up: nothing was asked for.
      await conn.inbox.rest();
      const next = await t.h2c();
      const id = next.request([
        [":method", "GET"],
        [":scheme", "http"],
        [":authority", "a.example"],
        [":path", "/next"],
      ]);
      const second = await t.backend.accept();
      assert.equal((await second.request()).target, "/next");
      second.write(`${OK}Content-Length: 4\r\n\r\ngood`);
      assert.equal((await next.over(id)).body, "good");
    });
  });
}
