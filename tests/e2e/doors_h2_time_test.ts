// What a connection of HTTP/2 is given time for, and what its flags make it say (RFC 9113 §6.5.2, §6.9.2).
import assert from "node:assert/strict";
import { configuredOptions } from "../../src/config/proxy_options.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { H2Code } from "../../src/protocol/http2/codes.ts";
import { CLIENT_PREFACE } from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { openH2 } from "../support/door_clients.ts";
import { RawH1, withDoors } from "../support/doors.ts";
import { fromClient } from "../support/frames.ts";
import { FrameType, h2Frame, h2Get, h2Ws, RawH2, SettingId } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";

const GET = h2Get("/x");
const DOORS = ["h2c", "h2"] as const;

/** What a client leaves a connection with on which no stream is open. */
const LEFT: [name: string, leave: (client: RawH2) => void][] = [
  ["said no more than its SETTINGS", () => {}],
  ["said half of a frame's header", (client) => client.write(Uint8Array.of(0, 0, 8, 6))],
  [
    "said half of a HEADERS frame",
    (client) => client.write(client.headers(1, GET).subarray(0, 15)),
  ],
  [
    "began a field block that never ends",
    (client) => client.write(h2Frame([FrameType.HEADERS], 1, client.block(GET))),
  ],
];

for (const door of DOORS) {
  for (const [name, leave] of LEFT) {
    Deno.test(`doors: h2: a connection over ${door} that ${name} ends after --idle-timeout`, async () => {
      await withDoors({ idleTimeoutMs: 500 }, async (t) => {
        const client = await t[door]();
        leave(client);
        assert.equal(await client.end(), H2Code.NO_ERROR);
        await until("its end", () => t.proxy.connections === 0);
        assert.deepEqual(t.seen.connectionEnds.map(({ reason }) => reason), ["idle"]);
        assert.deepEqual([t.seen.failures, t.backend.connections], [[], []]);
      });
    });
  }

  Deno.test(`doors: h2: a connection over ${door} is not idle while a stream is open`, async () => {
    await withDoors({ idleTimeoutMs: 300 }, async (t) => {
      const client = await t[door]();
      const opening = openH2(client);
      const peer = await t.backend.upgrade();
      const tunnel = await opening;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      tunnel.send(fromClient.text("still"));
      assert.equal(new TextDecoder().decode((await peer.frame())!.payload), "still");
      tunnel.fin();
      await peer.inbox.rest();
      peer.fin();
      assert.equal(await client.end(), H2Code.NO_ERROR);
      assert.deepEqual(t.seen.connectionEnds.map(({ reason }) => reason), ["idle"]);
    });
  });
}

Deno.test("doors: h2: RFC 9113 §6.5.3: SETTINGS that are not acknowledged in time are SETTINGS_TIMEOUT", async () => {
  await withDoors({ handshakeTimeoutMs: 400 }, async (t) => {
    for (const more of [new Uint8Array(0), h2Frame([FrameType.SETTINGS], 0)]) {
      const client = await RawH1.connect(t.proxy.plainPort!);
      client.send(concat([CLIENT_PREFACE, more]));
      const got = await client.ended();
      // RFC 9113 §6.8: the last frame, with its code at its end.
      const goaway = h2Frame([FrameType.GOAWAY], 0, new Uint8Array(8));
      goaway[goaway.length - 1] = H2Code.SETTINGS_TIMEOUT;
      assert.equal(got.slice(-goaway.length), String.fromCharCode(...goaway));
    }
    await until("their ends", () => t.proxy.connections === 0);
  });
});

const FLAGS = {
  ...{ listen: "127.0.0.1:0", "max-streams": "7", "max-header-bytes": "3000" },
  ...{ "h2-stream-window": "100000", "h2-window": "250000" },
};

for (const door of DOORS) {
  Deno.test(`doors: h2: --h2-stream-window, --h2-window, --max-streams and --max-header-bytes over ${door} are what it says`, async () => {
    const flagged = configuredOptions(readProxyConfig(FLAGS));
    const { h2WindowBytes, maxStreams, maxHeaderBytes } = flagged;
    await withDoors({ h2WindowBytes, maxStreams, maxHeaderBytes }, async (t) => {
      const client = await t[door]();
      const said = [
        SettingId.INITIAL_WINDOW_SIZE,
        SettingId.MAX_CONCURRENT_STREAMS,
        SettingId.MAX_HEADER_LIST_SIZE,
      ].map((id) => client.settings.get(id));
      assert.deepEqual(said, [100_000, 7, 3000]);
      await until("the connection's window", () => client.room(0) === 250_000);
      const ids: number[] = [];
      for (let i = 0; i < 7; i++) {
        const opening = openH2(client);
        await t.backend.upgrade();
        ids.push((await opening).id);
      }
      // RFC 9113 §5.1.2: one more is refused, and may be tried again.
      const above = await client.over(client.request(h2Ws(), () => []));
      assert.equal(above.reset, H2Code.REFUSED_STREAM);
      for (const { socket } of t.backend.connections) socket.destroy();
      await Promise.all(ids.map((id) => client.over(id)));
    });
  });
}
