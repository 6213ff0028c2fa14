// Issue 4, Build 5: ordinary requests, by every door; and over HTTP/3 what node:http2 and curl show of
// the others: interim answers, trailers, events one by one.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { getField } from "../../src/protocol/wire/field.ts";
import { DOOR_IDS, DoorPeers } from "../support/door_peers.ts";
import { withDoors } from "../support/doors.ts";
import { fromLatin1 } from "../support/inbox.ts";
import { connectFields, dataFrame, headersFrame } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";

interface Row {
  name: string;
  method: string;
  /** Beside those that every request has. */
  asked: Field[];
  /** What the backend says. */
  answer: string;
  want: { status: number; body: string; fields: Field[] };
}

const ETAG = 'ETag: "x"\r\nContent-Length: 5\r\n\r\n';
/** "hi" by gzip, cut off: nobody here may look into it. */
const GZIPPED = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\xc8";

const ROWS: Row[] = [
  {
    name: "HEAD",
    method: "HEAD",
    asked: [],
    answer: `HTTP/1.1 200 OK\r\n${ETAG}`,
    want: { status: 200, body: "", fields: [["content-length", "5"], ["etag", '"x"']] },
  },
  {
    name: "204",
    method: "GET",
    asked: [],
    answer: "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    want: { status: 204, body: "", fields: [["x-a", "b"]] },
  },
  {
    name: "304 with the length of what it leaves out",
    method: "GET",
    asked: [["if-none-match", '"x"']],
    answer: `HTTP/1.1 304 Not Modified\r\n${ETAG}`,
    want: { status: 304, body: "", fields: [["content-length", "5"], ["etag", '"x"']] },
  },
  {
    name: "a range",
    method: "GET",
    asked: [["range", "bytes=1-3"], ["if-range", '"x"']],
    answer:
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-3/9\r\nContent-Length: 3\r\n\r\nbcd",
    want: { status: 206, body: "bcd", fields: [["content-range", "bytes 1-3/9"]] },
  },
  {
    name: "what is compressed",
    method: "GET",
    asked: [["accept-encoding", "gzip"]],
    answer:
      `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${GZIPPED.length}\r\n\r\n` +
      GZIPPED,
    want: { status: 200, body: GZIPPED, fields: [["content-encoding", "gzip"]] },
  },
];

for (const { name, method, asked, answer, want } of ROWS) {
  Deno.test(`requests: ${name} passes untouched by every door`, async () => {
    await withDoors({}, async (t) => {
      const { port, plainPort } = t.proxy;
      await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
      for (const door of DOOR_IDS) {
        const asking = peers.ask(door, { method, path: "/x", fields: asked });
        const conn = await t.backend.accept();
        const request = await conn.request();
        for (const [name, value] of asked) assert.equal(request.get(name), value, door);
        // The next door's comes by a connection of its own.
        conn.write(answer.replace("\r\n", "\r\nConnection: close\r\n"));
        const got = await asking;
        assert.deepEqual([got.status, got.body], [want.status, want.body], door);
        for (const [name, value] of want.fields) assert.equal(got.get(name), value, door);
      }
    });
  });
}

const GET = connectFields({ method: "GET", protocol: null, path: "/x" });
const POST = connectFields({ method: "POST", protocol: null, path: "/x" });
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

Deno.test("requests: RFC 9114 §4.1: trailers pass both ways over h3", async () => {
  await withDoors({}, async (t) => {
    const quic = await t.connect();
    const stream = await quic.request([...POST, ["te", "trailers"]], dataFrame(fromLatin1("up")));
    await stream.write(headersFrame([["x-end", "yes"]]));
    await stream.fin();
    const conn = await t.backend.accept();
    assert.equal((await conn.request()).get("te"), "trailers");
    assert.equal(await conn.inbox.takeUpTo("\r\n\r\n"), "2\r\nup\r\n0\r\nX-End: yes\r\n\r\n");
    conn.write(`${CHUNKED}4\r\ndown\r\n0\r\nX-Sum: 7\r\n\r\n`);
    const { status, body } = await stream.answer();
    assert.deepEqual([status, body, stream.trailers], [200, "down", [["x-sum", "7"]]]);
  });
});

Deno.test("requests: RFC 9114 §4.1: interim answers come before the answer over h3, 100 by the backend alone", async () => {
  await withDoors({}, async (t) => {
    const quic = await t.connect();
    const expect: Field[] = [["expect", "100-continue"], ["content-length", "2"]];
    const stream = await quic.request([...POST, ...expect]);
    const answered = stream.response();
    const conn = await t.backend.accept();
    assert.equal((await conn.request()).get("expect"), "100-continue");
    await quic.roundTrip();
    assert.equal(stream.interim.length, 0);
    conn.write("HTTP/1.1 100 Continue\r\n\r\n");
    await until("100", () => stream.interim.length === 1);
    conn.write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    await until("103", () => stream.interim.length === 2);
    assert.deepEqual(stream.interim.map(({ status }) => status), [100, 103]);
    assert.equal(getField(stream.interim[1].fields, "link"), "</a.css>");
    await stream.write(dataFrame(fromLatin1("up")));
    await stream.fin();
    assert.equal(await conn.inbox.takeUpTo("up"), "up");
    conn.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert.equal((await answered).status, 200);
  });
});

Deno.test("requests: server-sent events and long polls come one by one over h3", async () => {
  await withDoors({}, async (t) => {
    const quic = await t.connect();
    const stream = await quic.request(GET);
    await stream.fin();
    const conn = await t.backend.accept();
    await conn.request();
    conn.write(CHUNKED);
    assert.equal((await stream.response()).status, 200);
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      conn.write(`9\r\n${event}\r\n`);
      // Each is there before the next is sent.
      assert.deepEqual(await stream.inbox.take(9), fromLatin1(event));
    }
    conn.write("0\r\n\r\n");
    assert.equal((await stream.inbox.rest()).length, 0);
    assert.equal(stream.inbox.ending, "fin");
  });
});
