// RFC 9113 §6.1, RFC 9114 §7.2.1: DATA may be empty. A node:tls socket breaks when nothing is written
// to it, so over TLS each such frame has to end in the proxy.
import assert from "node:assert/strict";
import { withDoors } from "../support/doors.ts";
import { fromClient } from "../support/frames.ts";
import { testCertificates, type TestProxyOptions } from "../support/proxy.ts";
import { h2Data } from "../support/raw_h2.ts";
import { connectFields, dataFrame } from "../support/raw_h3.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import type { Doors } from "../support/doors.ts";

async function tlsBackend(): Promise<TestProxyOptions> {
  const { caPem, certPem, keyPem } = await testCertificates();
  const alpnProtocols = ["http/1.1"];
  return {
    dialTls: { serverName: "localhost", caCerts: [caPem], alpnProtocols, insecure: false },
    backendListen: { tls: { cert: certPem, key: keyPem, ALPNProtocols: alpnProtocols } },
  };
}

const NONE = new Uint8Array(0);

/** Sends a request, and the parts of its content or tunnel each in a frame. */
type Send = (t: Doors, fields: Field[], parts: readonly Uint8Array[]) => Promise<void>;

const DOORS: Record<string, Send> = {
  async h2(t, fields, parts) {
    const client = await t.h2();
    const id = client.request(fields, () => []);
    for (const part of parts) {
      client.write(h2Data(id, part));
      await client.roundTrip();
    }
    client.write(h2Data(id, NONE, true));
  },
  async h3(t, fields, parts) {
    const quic = await t.connect();
    const stream = await quic.request(fields);
    for (const part of parts) {
      await stream.write(dataFrame(part));
      await quic.roundTrip();
    }
    await stream.fin();
  },
};

for (const [door, send] of Object.entries(DOORS)) {
  for (const length of ["7", null]) {
    Deno.test(`empty DATA over ${door}, ${length === null ? "no" : "a"} Content-Length, to a backend over TLS`, async () => {
      await withDoors(await tlsBackend(), async (t) => {
        const post = connectFields({ method: "POST", protocol: null, path: "/x" });
        const fields: Field[] = length === null ? post : [...post, ["content-length", length]];
        const parts = ["", "abc", "", "", "defg", ""].map((text) => new TextEncoder().encode(text));
        await send(t, fields, parts);
        const conn = await t.backend.accept();
        await conn.request();
        const end = length === null ? "0\r\n\r\n" : "defg";
        const body = await conn.inbox.takeUpTo(end);
        assert.equal(body, length === null ? "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n" : "abcdefg");
        conn.write("HTTP/1.1 204 No Content\r\n\r\n");
      });
    });
  }
}

/** What a tunnel of that protocol is answered with. */
const TUNNELS = {
  websocket: null,
  foo: "HTTP/1.1 101 A\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
};

for (const [door, send] of Object.entries(DOORS)) {
  for (const [protocol, answer] of Object.entries(TUNNELS)) {
    Deno.test(`empty DATA over ${door} in a tunnel of ${protocol}, to a backend over TLS`, async () => {
      await withDoors(await tlsBackend(), async (t) => {
        const frame = fromClient.text("abc");
        const parts = [NONE, frame.subarray(0, 1), NONE, frame.subarray(1), NONE];
        const sending = send(t, connectFields({ protocol }), parts);
        const conn = await t.backend.accept();
        await conn.request();
        if (answer === null) conn.upgrade();
        else conn.write(answer);
        assert.deepEqual(await conn.inbox.rest(), frame);
        assert.equal(conn.inbox.ending, "fin");
        conn.fin();
        await sending;
        await t.seen.end();
      });
    });
  }
}
