// RFC 9114 §4.2.2: a client says how long a field section it takes; an answer above that is not sent.
import assert from "node:assert/strict";
import { H3Control } from "../../src/ingress/h3_control.ts";
import { fieldSectionSize } from "../../src/protocol/http3/field_section.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { type TestProxy, withProxy } from "../support/proxy.ts";
import { connectFields, type RawClient, type RawResponse } from "../support/raw_h3.ts";

const LIMIT = 400;

interface Limited {
  quic: RawClient;
  /** Held as long as the connection lives, or its control stream would end. */
  control: H3Control;
}

async function connectLimited(t: TestProxy, maxFieldSectionSize: number): Promise<Limited> {
  const quic = await t.connect({ settings: false });
  const control = new H3Control(quic.quic, { role: "client", onError: () => {} });
  await control.open({ maxFieldSectionSize });
  // What went before it has come with it.
  await quic.roundTrip();
  return { quic, control };
}

function sizeOf({ status, fields }: RawResponse): number {
  return fieldSectionSize([[":status", String(status)], ...fields]);
}

/** The backend's answer to one client, its head `size` bytes longer than it must be. */
async function answered({ quic }: Limited, t: TestProxy, status: number, size: number) {
  const client = await quic.connectWs();
  const conn = await t.backend.accept();
  await conn.request();
  const line = `X: ${"y".repeat(size)}`;
  if (status === 101) conn.upgrade([line]);
  else conn.write(`HTTP/1.1 ${status} No\r\n${line}\r\nContent-Length: 3\r\n\r\nno\n`);
  const head = await client.response();
  return { client, conn, head };
}

Deno.test("fields: RFC 9114 §4.2.2: a refusal longer than the client takes is a 502 without its fields", async () => {
  await withProxy({}, async (t) => {
    const limited = await connectLimited(t, LIMIT);
    const short = await answered(limited, t, 403, 100);
    assert.equal(short.head.status, 403);
    assert.equal((await short.client.answer()).body, "no\n");
    const long = await answered(limited, t, 403, LIMIT);
    assert.equal(long.head.status, 502);
    assert.equal(long.head.get("x"), null);
    assert.ok(sizeOf(long.head) <= LIMIT);
    await long.client.inbox.rest();
    await long.conn.inbox.rest();
    await limited.quic.roundTrip();
    limited.control.release();
  });
});

Deno.test("fields: RFC 9114 §4.2.2: a 101 longer than the client takes is a 502, and the backend is let go", async () => {
  await withProxy({}, async (t) => {
    const limited = await connectLimited(t, LIMIT);
    const long = await answered(limited, t, 101, LIMIT);
    assert.equal(long.head.status, 502);
    assert.ok(sizeOf(long.head) <= LIMIT);
    await long.conn.inbox.rest();
    assert.equal(t.seen.opened.length, 0);
    const short = await answered(limited, t, 101, 100);
    assert.equal(short.head.status, 200);
    assert.ok(sizeOf(short.head) <= LIMIT);
    await short.client.fin();
    short.conn.fin();
    await short.client.inbox.rest();
    limited.control.release();
  });
});

Deno.test("fields: RFC 9114 §4.2.2: a limit below any answer is not held, for there must be one", async () => {
  await withProxy({}, async (t) => {
    const { quic, control } = await connectLimited(t, 0);
    const fields: Field[] = connectFields({ path: "/none" });
    assert.equal((await (await quic.request(fields)).answer()).status, 502);
    control.release();
  });
});
