// Requests that are answered at the door: each is one row of a table.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { encodeFrame } from "../../src/protocol/websocket/encoder.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { withProxy } from "./proxy.ts";
import { connectFields, type Pseudo } from "./raw_h3.ts";

export const HELLO: Uint8Array = encodeFrame({
  opcode: Opcode.TEXT,
  payload: new TextEncoder().encode("hello"),
  maskKey: new Uint8Array([1, 2, 3, 4]),
});

export interface AnswerRow {
  name: string;
  pseudo?: Pseudo;
  fields?: Field[];
  /** The whole field section, where the order is what is wrong. */
  section?: Field[];
  status: number;
  /** Header fields of the answer. */
  has?: Record<string, string>;
  /** What the observer is told; `null` for nothing. */
  rejected: string | null;
}

/** Sends each row's request; the backend must not hear of it, and the connection must live on. */
export function testAnswers(rows: readonly AnswerRow[]): void {
  for (const row of rows) Deno.test(`answers: ${row.name}`, () => testAnswer(row));
}

async function testAnswer(row: AnswerRow): Promise<void> {
  await withProxy({}, async (t) => {
    const quic = await t.connect();
    const section = row.section ?? connectFields(row.pseudo, row.fields);
    const answer = await (await quic.request(section)).answer();
    assert.equal(answer.status, row.status, answer.body);
    for (const [name, value] of Object.entries(row.has ?? {})) {
      assert.equal(answer.get(name), value);
    }
    assert.deepEqual(t.seen.rejections.map(({ reason, status }) => [reason, status]), [
      ...(row.rejected === null ? [] : [[row.rejected, row.status]]),
    ]);
    assert.ok(!t.seen.rejectedFor.includes(""), "the record says why, too");
    const isHead = row.pseudo?.method === "HEAD";
    if (isHead) assert.equal(answer.body, "");
    else if (row.status !== 431) assert.match(answer.body, /^[^\n]+\n$/, "one line says why");
    assert.equal(t.backend.connections.length, 0, "the backend is not asked");
    // RFC 9114 §4.1.2: a stream error; the connection's other streams live.
    const { client, backend } = await t.open();
    await client.send(HELLO);
    assert.deepEqual(await backend.inbox.take(HELLO.length), HELLO);
    quic.close();
  });
}
