// Smuggling by downgrade: what HTTP/2 and HTTP/3 can say and HTTP/1.1 reads in another way.
import assert from "node:assert/strict";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { answerAt, type Doors, RawH1, withDoors } from "../support/doors.ts";
import { fromLatin1 } from "../support/inbox.ts";
import { h2Data, type RawH2 } from "../support/raw_h2.ts";
import { dataFrame, headersFrame, type RawClient } from "../support/raw_h3.ts";
import { RecordingBackend } from "../support/recording_backend.ts";
import { until } from "../support/until.ts";
import { type Downgrade, DOWNGRADES } from "./downgrade_rows.ts";

/** What came of a row: the status, or "malformed". */
type Sent = (row: Downgrade) => Promise<"malformed" | number>;

function byH2(client: RawH2): Sent {
  return async ({ section, content, trailers }) => {
    const id = client.nextId();
    const frames = [client.headers(id, section, content === undefined)];
    if (content !== undefined) frames.push(h2Data(id, content, trailers === undefined));
    if (trailers !== undefined) frames.push(client.headers(id, trailers));
    client.write(...frames);
    const stream = await client.over(id);
    assert.deepEqual(client.goaways, [], "the connection goes on");
    if (stream.reset !== null && stream.reset !== H2Code.NO_ERROR) {
      assert.equal(stream.reset, H2Code.PROTOCOL_ERROR);
      assert.notEqual(stream.status, 200);
      return "malformed";
    }
    return stream.status!;
  };
}

function byH3(client: RawClient): Sent {
  return async ({ section, content, trailers, want }) => {
    const stream = await client.openStream();
    const more = [
      ...(content === undefined ? [] : [dataFrame(fromLatin1(content))]),
      ...(trailers === undefined ? [] : [headersFrame(trailers)]),
    ];
    await stream.write(concat([headersFrame(section), ...more]));
    await stream.fin();
    try {
      const { status } = await stream.answer();
      // Design: a stream error is a 400 while nothing was answered.
      return want === "malformed" && status === 400 ? "malformed" : status;
    } catch (error) {
      // Its request was found malformed half way.
      assert.match((error as Error).message, /ended before an answer/);
      return "malformed";
    }
  };
}

let probes = 0;

/** Another client's request, on the connection to the backend that was used before. */
async function probe(t: Doors, backend: RecordingBackend): Promise<void> {
  const mark = `d${++probes}`;
  const client = await RawH1.connect(t.proxy.plainPort!);
  client.send(`GET /probe HTTP/1.1\r\nHost: a.example\r\nX-Probe: ${mark}\r\n\r\n`);
  await until("the next client's answer", () => answerAt(client.got) !== null || client.isOver);
  assert.equal(answerAt(client.got)?.text, `GET /probe probe=${mark}`);
  assert.equal(answerAt(client.got)?.end, client.got.length, "nothing behind it");
  await client.close();
  assert.deepEqual(backend.take().map(({ target }) => target), ["/probe"]);
}

async function check(row: Downgrade, send: Sent, backend: RecordingBackend): Promise<void> {
  const outcome = await send(row);
  const seen = backend.take();
  assert.deepEqual(backend.faults.splice(0), [], "what reached the backend has one reading");
  assert.equal(outcome, row.want);
  if (row.want !== 200) {
    assert.deepEqual(seen, [], "nothing whole reached the backend");
    return;
  }
  const field = (wanted: string) => row.section.find(([name]) => name === wanted)?.[1];
  assert.equal(seen.length, 1, "one request reached the backend");
  const host = seen[0].fields.filter(([name]) => name.toLowerCase() === "host");
  assert.deepEqual(
    { method: seen[0].method, target: seen[0].target, body: seen[0].body, host: host[0][1] },
    {
      method: field(":method"),
      target: row.target ?? field(":path"),
      body: row.body ?? "",
      host: field(":authority") ?? field("host"),
    },
  );
  for (const [name] of seen[0].trailers) {
    assert.ok(!["content-length", "host", "transfer-encoding"].includes(name.toLowerCase()), name);
  }
}

async function checkAll(connect: (t: Doors) => Promise<Sent>): Promise<void> {
  const backend = await RecordingBackend.listen();
  try {
    await withDoors({
      backend: { dial: { hostname: "127.0.0.1", port: backend.port } },
    }, async (t) => {
      const send = await connect(t);
      const failures: string[] = [];
      for (const row of DOWNGRADES) {
        try {
          await check(row, send, backend);
          await probe(t, backend);
        } catch (error) {
          failures.push(`${row.name}: ${(error as Error).message}`);
          backend.take();
        }
      }
      assert.deepEqual(failures, []);
      backend.drop();
    });
  } finally {
    await backend.close();
  }
}

Deno.test("downgrade: RFC 9113 §8.2.1, §10.3: HTTP/2 that would be another request in HTTP/1.1", async () => {
  await checkAll(async (t) => byH2(await t.h2()));
});

Deno.test("downgrade: RFC 9113 §8.2.1, §10.3: the same by prior knowledge, in clear text", async () => {
  await checkAll(async (t) => byH2(await t.h2c()));
});

Deno.test("downgrade: RFC 9114 §4.2, §10.3: HTTP/3 that would be another request in HTTP/1.1", async () => {
  await checkAll(async (t) => byH3(await t.connect()));
});

Deno.test("downgrade: the table has more than 100 rows, each with a name of its own", () => {
  assert.ok(DOWNGRADES.length > 100, `${DOWNGRADES.length}`);
  assert.equal(new Set(DOWNGRADES.map(({ name }) => name)).size, DOWNGRADES.length);
});
