// HTTP/2 that is meant to hurt: streams that are reset in every state, and floods (RFC 9113 §10.5).
import assert from "node:assert/strict";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { listenFull } from "../net/full_listener.ts";
import { openH2 } from "../support/door_clients.ts";
import { withDoors } from "../support/doors.ts";
import { fromClient } from "../support/frames.ts";
import {
  Flag,
  FrameType,
  H2_PING,
  h2Data,
  h2Frame,
  h2Get,
  h2Reset,
  h2Settings,
  h2Window,
  h2Ws,
  type RawH2,
} from "../support/raw_h2.ts";
import { until } from "../support/until.ts";
import { post, STREAM_STATES } from "./h2_stream_states.ts";

for (const door of ["h2c", "h2"] as const) {
  for (const { name, backend, reach } of STREAM_STATES) {
    Deno.test(`doors: h2: RFC 9113 §6.4: a stream over ${door} is reset when ${name}`, async () => {
      await withDoors({}, async (t) => {
        const client = await t[door]();
        const other = openH2(client);
        const peer = await t.backend.upgrade();
        const tunnel = await other;
        const id = await reach(client, t);
        client.write(h2Reset(id, H2Code.CANCEL));
        // It ends at the backend, and what else is on the connection goes on.
        const conn = t.backend.connections.at(-1)!;
        if (backend) await conn.inbox.rest();
        tunnel.send(fromClient.text("still"));
        assert.equal(new TextDecoder().decode((await peer.frame())!.payload), "still");
        await client.roundTrip();
        assert.deepEqual(client.goaways, []);
        tunnel.fin();
        await peer.inbox.rest();
        peer.fin();
        await until("the other's end", () => t.proxy.sessions === 0);
        // RFC 9113 §6.8: a connection that drains ends with its last stream: none is left.
        const drained = t.proxy.drain(60_000);
        assert.equal(await client.end(), H2Code.NO_ERROR);
        await drained;
      });
    });
  }

  Deno.test(`doors: h2: RFC 9113 §5.1: RST_STREAM over ${door} on an idle stream is PROTOCOL_ERROR`, async () => {
    await withDoors({}, async (t) => {
      const client = await t[door]();
      client.write(h2Reset(9, H2Code.CANCEL));
      assert.equal(await client.end(), H2Code.PROTOCOL_ERROR);
      assert.deepEqual([t.seen.failures.length, t.seen.rejections], [1, []]);
    });
  });
}

Deno.test("doors: h2: a stream that is reset while the backend is dialled ends the dial", async () => {
  using full = await listenFull();
  const target = { dial: { hostname: full.hostname, port: full.port } };
  await withDoors({ backend: target, dialTimeoutMs: 60_000 }, async (t) => {
    const client = await t.h2();
    const ids = [client.request(h2Get("/x")), client.request(h2Ws(), () => [])];
    await client.roundTrip();
    // A dial that is under way tells nobody.
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.write(...ids.map((id) => h2Reset(id, H2Code.CANCEL)));
    await client.roundTrip();
    // Long before the dial's own timeout.
    await t.idle();
    assert.deepEqual(t.seen.failures, []);
  });
});

interface Flood {
  name: string;
  /** One step; `i` counts them. */
  step: (client: RawH2, i: number) => Uint8Array;
  /** What comes before it. */
  before?: (client: RawH2) => void;
}

const pseudo = h2Get("/x");

const FLOODS: Flood[] = [
  {
    name: "CVE-2023-44487: rapid reset",
    step: (client) => {
      const id = client.nextId();
      return concat([client.headers(id, pseudo), h2Reset(id, H2Code.CANCEL)]);
    },
  },
  {
    name: "CVE-2025-8671: streams that we are made to reset",
    step: (client) => {
      const id = client.nextId();
      return concat([client.headers(id, h2Get("/healthz"), false), h2Window(id, 0)]);
    },
  },
  {
    name: "streams that are malformed",
    step: (client) => client.headers(client.nextId(), [[":method", "GET"]]),
  },
  { name: "CVE-2019-9512: PING", step: () => H2_PING },
  { name: "CVE-2019-9515: SETTINGS", step: () => h2Settings([]) },
  { name: "WINDOW_UPDATE", step: () => h2Window(0, 1) },
  { name: "PRIORITY", step: () => h2Frame([FrameType.PRIORITY], 7, Uint8Array.of(0, 0, 0, 1, 0)) },
  { name: "unknown frames", step: () => h2Frame([0x77], 0, new Uint8Array(1)) },
  {
    name: "CVE-2019-9518: empty DATA",
    before: (client) => client.request(post, () => []),
    step: () => h2Data(1, ""),
  },
  {
    name: "CVE-2024-27316: CONTINUATION",
    before: (client) => client.write(h2Frame([FrameType.HEADERS], 1, client.block(pseudo))),
    step: () => h2Frame([FrameType.CONTINUATION], 1, Uint8Array.of(0, 1, 0x78, 1, 0x79)),
  },
  {
    name: "CONTINUATION that is empty",
    before: (client) =>
      client.write(h2Frame([FrameType.HEADERS, Flag.END_STREAM], 1, client.block(pseudo))),
    step: () => h2Frame([FrameType.CONTINUATION], 1),
  },
];

const STEPS = 40_000;
const STEPS_AT_ONCE = 500;

for (const door of ["h2c", "h2"] as const) {
  for (const { name, step, before } of FLOODS) {
    Deno.test(`doors: h2: RFC 9113 §10.5: ${name} over ${door} is ENHANCE_YOUR_CALM, and hurts no other`, async () => {
      await withDoors({}, async (t) => {
        const other = await t[door]();
        const opening = openH2(other);
        const peer = await t.backend.upgrade();
        const tunnel = await opening;
        const client = await t[door]();
        before?.(client);
        let i = 0;
        while (i < STEPS && !client.isClosed) {
          const steps = Array.from({ length: STEPS_AT_ONCE }, () => step(client, i++));
          await client.writeAll(concat(steps));
        }
        assert.equal(await client.end(), H2Code.ENHANCE_YOUR_CALM);
        const told = t.seen.failures.filter(({ message }) => /too many|more than/i.test(message));
        assert.equal(told.length, 1, JSON.stringify(t.seen.failures.slice(-3)));
        tunnel.send(fromClient.text("still"));
        assert.equal(new TextDecoder().decode((await peer.frame())!.payload), "still");
        tunnel.fin();
        await peer.inbox.rest();
        peer.fin();
        await until("the other's end", () => t.proxy.sessions === 0);
      });
    });
  }
}
