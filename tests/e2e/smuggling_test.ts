// RFC 9112 §11.2: requests that two readers may read in two ways, through the running proxy: none
// reaches a backend as two, and the next client on a pooled connection is not harmed.
import assert from "node:assert/strict";
import type { Request } from "../protocol/http1/smuggling.ts";
import { AMBIGUOUS_REQUESTS } from "../protocol/http1/smuggling_table.ts";
import { answerAt, type Doors, RawH1, withDoors } from "../support/doors.ts";
import { RecordingBackend } from "../support/recording_backend.ts";
import { until } from "../support/until.ts";

async function withRecorder(
  body: (t: Doors, backend: RecordingBackend) => Promise<void>,
): Promise<void> {
  const backend = await RecordingBackend.listen();
  try {
    await withDoors({
      backend: { dial: { hostname: "127.0.0.1", port: backend.port } },
    }, async (t) => {
      await body(t, backend);
      backend.drop();
    });
  } finally {
    await backend.close();
  }
}

let probes = 0;

/** A good request of another client's: it must get its own answer, by a connection that was used. */
async function probe(t: Doors, backend: RecordingBackend): Promise<void> {
  const mark = `p${++probes}`;
  const client = await RawH1.connect(t.proxy.plainPort!);
  client.send(`GET /probe HTTP/1.1\r\nHost: a.example\r\nX-Probe: ${mark}\r\n\r\n`);
  await until("the next client's answer", () => answerAt(client.got) !== null || client.isOver);
  const answer = answerAt(client.got);
  assert.equal(answer?.text, `GET /probe probe=${mark}`);
  assert.equal(answer?.end, client.got.length, "nothing behind it");
  await client.close();
  const seen = backend.take();
  assert.deepEqual(seen.map(({ target }) => target), ["/probe"]);
}

/** Sends the row's bytes; gives the statuses of the answers. */
async function exchange(client: RawH1, { bytes }: Request, cut: number): Promise<number[]> {
  const method = bytes.trimStart().split(" ", 1)[0];
  client.send(bytes.slice(0, cut));
  if (cut < bytes.length) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    client.send(bytes.slice(cut));
  }
  await until("an answer", () => answerAt(client.got, 0, method) !== null || client.isOver);
  client.fin();
  const got = await client.ended();
  const statuses: number[] = [];
  for (let at = 0; at < got.length;) {
    const answer = answerAt(got, at, method);
    assert.notEqual(answer, null, `no answer: ${JSON.stringify(got.slice(at))}`);
    statuses.push(answer!.status);
    at = answer!.end;
  }
  return statuses;
}

async function check(
  t: Doors,
  backend: RecordingBackend,
  row: Request & { client: RawH1; cut: number },
): Promise<void> {
  const statuses = await exchange(row.client, row, row.cut);
  const seen = backend.take();
  assert.deepEqual(backend.faults.splice(0), [], "what reached the backend has one reading");
  assert.deepEqual(seen.filter(({ target }) => target.includes("smuggled")), []);
  assert.deepEqual(statuses, [row.status]);
  if (row.reading === undefined) {
    assert.deepEqual(seen, [], "nothing reached the backend");
  } else {
    const { method, path, body, authority } = row.reading;
    assert.equal(seen.length, 1, "one request reached the backend");
    const host = seen[0].fields.find(([name]) => name.toLowerCase() === "host")?.[1];
    assert.deepEqual({ method: seen[0].method, path: seen[0].target, body: seen[0].body, host }, {
      method,
      path,
      body,
      host: authority,
    });
  }
  await row.client.close();
  await probe(t, backend);
}

async function checkAll(
  rows: readonly Request[],
  connect: (t: Doors) => Promise<RawH1>,
  cutOf: (bytes: string, i: number) => number,
): Promise<void> {
  await withRecorder(async (t, backend) => {
    const failures: string[] = [];
    for (const [i, row] of rows.entries()) {
      try {
        const client = await connect(t);
        await check(t, backend, { ...row, client, cut: cutOf(row.bytes, i) });
      } catch (error) {
        failures.push(`${row.name}: ${(error as Error).message}`);
        backend.take();
      }
    }
    assert.deepEqual(failures, []);
    assert.ok(backend.connections < rows.length, "the backend's connections were pooled");
  });
}

const PARTS = 5;

for (let part = 0; part < PARTS; part++) {
  Deno.test(`smuggling: RFC 9112 §11.2: no ambiguous request reaches the backend, or as one alone (${part + 1} of ${PARTS})`, async () => {
    await checkAll(
      AMBIGUOUS_REQUESTS.filter((_, i) => i % PARTS === part),
      (t) => RawH1.connect(t.proxy.plainPort!),
      (bytes) => bytes.length,
    );
  });
}

Deno.test("smuggling: RFC 9112 §11.2: the same by TLS, cut in two (each seventh row)", async () => {
  await checkAll(
    AMBIGUOUS_REQUESTS.filter((_, i) => i % 7 === 0),
    (t) => RawH1.connect(t.proxy.port, t.caCerts),
    (bytes, i) => 1 + (i * 31) % (bytes.length - 1),
  );
});
