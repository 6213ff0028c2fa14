// Issue 4, Build 3 and 4: what is switched off, and what is said of HTTP/3 (RFC 7838).
import assert from "node:assert/strict";
import { SettingId } from "../../src/protocol/http2/settings.ts";
import { configuredOptions } from "../../src/config/proxy_options.ts";
import { type FlagValues } from "../../src/config/flags.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { DOOR_IDS, type DoorAnswer, type DoorId, isOpen, say } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { type NamedDoors, withNamedDoors } from "../support/named_doors.ts";
import type { TestProxyOptions } from "../support/proxy.ts";
import { until } from "../support/until.ts";

/** What these flags make of the options. */
function flagged(flags: FlagValues): Pick<TestProxyOptions, "tunnels" | "upgrades" | "altSvcPort"> {
  const { tunnels, upgrades, altSvcPort } = configuredOptions(readProxyConfig(flags));
  return { tunnels, upgrades, altSvcPort };
}

/** All kinds of answers that there are. */
async function answersOf({ peers }: NamedDoors, door: DoorId): Promise<Record<string, DoorAnswer>> {
  const tunnel = await peers.open(door, { path: "/ws" });
  assert.equal(await say(tunnel, "hi"), "main hi");
  return {
    "a backend's answer": await peers.ask(door, { path: "/x" }),
    "a health check": await peers.ask(door, { path: "/healthz" }),
    "a tunnel": tunnel,
    "a backend's refusal": await peers.open(door, { path: "/refused", protocol: "foo" }),
    "a refusal of ours": await peers.open(door, { protocol: null, authority: "a:1" }),
  };
}

interface AltSvcRow {
  flag: string;
  want: (port: number) => string | null;
}

const ALT_SVC: AltSvcRow[] = [
  { flag: "on", want: (port) => `h3=":${port}"; ma=86400` },
  { flag: "8443", want: () => `h3=":8443"; ma=86400` },
  { flag: "off", want: () => null },
];

for (const { flag, want } of ALT_SVC) {
  Deno.test(`doors: RFC 7838: --alt-svc ${flag}: on every answer over TCP, on none over HTTP/3`, async () => {
    await using elsewhere = await NamedBackend.listen("main", {
      answer: [["alt-svc", 'h3=":1"; ma=5']],
    });
    const { altSvcPort } = flagged({ "alt-svc": flag });
    const dial = { hostname: "127.0.0.1", port: elsewhere.port };
    await withNamedDoors({ altSvcPort, backend: { dial } }, async (doors) => {
      for (const door of DOOR_IDS) {
        for (const [name, answer] of Object.entries(await answersOf(doors, door))) {
          const all = answer.fields.filter(([name]) => name === "alt-svc").map(([, value]) =>
            value
          );
          const said = door === "h3" ? null : want(doors.t.proxy.port);
          // What the backend says of its own port is nobody's here.
          assert.deepEqual(all, said === null ? [] : [said], `${name} over ${door}`);
        }
      }
      elsewhere.drop();
    });
  });
}

Deno.test("doors: RFC 7838 §3: Alt-Svc is clear while the proxy drains", async () => {
  await withNamedDoors({}, async ({ t, peers, main }) => {
    const tunnel = await peers.open("h2", { path: "/ws" });
    const client = await peers.h1("h1s");
    const connections = main.connections;
    client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n");
    await until("the request at the backend", () => main.connections > connections);
    const drained = t.proxy.drain(5_000);
    client.send("hi");
    await until("an answer", () => answerAt(client.got) !== null || client.isOver);
    assert.equal(answerAt(client.got)?.status, 200);
    assert.match(client.got, /\r\nalt-svc: clear\r\n/i);
    assert.match(client.got, /\r\nconnection: close\r\n/i);
    tunnel.fin();
    await drained;
  });
});

interface SwitchRow {
  flags: FlagValues;
  /** The doors by which no tunnel goes. */
  off: readonly DoorId[];
}

const SWITCHES: SwitchRow[] = [
  { flags: {}, off: [] },
  { flags: { websocket: "off" }, off: DOOR_IDS },
  { flags: { "h2-websocket": "off" }, off: ["h2c", "h2"] },
  { flags: { "h3-websocket": "off" }, off: ["h3"] },
  { flags: { "h2-websocket": "off", "h3-websocket": "off" }, off: ["h2c", "h2", "h3"] },
];

for (const { flags, off } of SWITCHES) {
  const text = Object.entries(flags).map(([name, value]) => `--${name} ${value}`).join(" ");
  Deno.test(`doors: ${text || "nothing switched off"}: no tunnel by ${off.join(", ") || "no door"}, and not announced`, async () => {
    await withNamedDoors({ tunnels: flagged(flags).tunnels }, async ({ t, peers, main }) => {
      for (const door of DOOR_IDS) {
        for (const protocol of ["websocket", "foo"]) {
          const tunnel = await peers.open(door, { path: "/ws", protocol });
          if (off.includes(door)) {
            assert.deepEqual([tunnel.status, tunnel.body], [501, "Not Implemented\n"], door);
          } else if (protocol === "websocket") {
            assert.ok(isOpen(tunnel), door);
            tunnel.fin();
          }
        }
        // Requests pass whatever tunnels do.
        assert.equal((await peers.ask(door)).status, 200, door);
      }
      const h2 = await t.h2();
      const h2c = await t.h2c();
      const announced = (door: DoorId) => off.includes(door) ? 0 : 1;
      for (const [door, client] of [["h2", h2], ["h2c", h2c]] as const) {
        // RFC 8441 §3.
        const said = client.settings.get(SettingId.ENABLE_CONNECT_PROTOCOL) ?? 0;
        assert.equal(said, announced(door), door);
      }
      const h3 = await t.connect();
      await until("SETTINGS", () => h3.settings !== null);
      assert.equal(h3.settings!.enableConnectProtocol, announced("h3") === 1);
      assert.equal(main.sockets <= DOOR_IDS.length - off.length, true);
      const refused = t.seen.rejections.filter(({ status }) => status === 501);
      assert.deepEqual(
        refused.map(({ reason }) => reason),
        off.flatMap(() => ["protocol", "protocol"]),
      );
    });
  });
}

const UPGRADES: [flag: string, taken: string[], refused: string[]][] = [
  ["websocket", ["websocket", "WebSocket"], ["foo", "foo/1"]],
  ["websocket,foo", ["websocket", "foo", "foo/2"], ["bar"]],
  ["*", ["websocket", "foo"], []],
  ["websocket,*", ["websocket", "foo"], []],
];

for (const [flag, taken, refused] of UPGRADES) {
  Deno.test(`doors: --upgrade ${flag}: 501 for all others, by every door`, async () => {
    await withNamedDoors(
      { upgrades: flagged({ upgrade: flag }).upgrades },
      async ({ t, peers }) => {
        for (const door of DOOR_IDS) {
          for (const protocol of taken) {
            const tunnel = await peers.open(door, {
              ...{ path: "/ws", protocol },
              // Only the words that the client writes are in capitals here.
              fields: protocol === "WebSocket" ? [["sec-websocket-version", "13"]] : [],
            });
            // This backend upgrades to WebSockets alone.
            const want = /^websocket$/i.test(protocol) ? [101, 200, 400] : [400];
            assert.ok(want.includes(tunnel.status), `${door} ${protocol}: ${tunnel.status}`);
            tunnel.fin();
          }
          for (const protocol of refused) {
            const tunnel = await peers.open(door, { path: "/ws", protocol });
            assert.equal(tunnel.status, 501, `${door} ${protocol}`);
            const what = door.startsWith("h1") ? "Upgrade" : ":protocol";
            assert.equal(tunnel.body, `unknown ${what} "${protocol}"\n`);
          }
        }
        const statuses = t.seen.rejections.filter(({ status }) => status === 501).length;
        assert.equal(statuses, refused.length * DOOR_IDS.length);
      },
    );
  });
}

Deno.test("doors: nothing of HTTP/1.1's is announced or taken where TCP is off", async () => {
  await withNamedDoors({ tcp: false, plainListen: null }, async ({ t, peers }) => {
    assert.equal(t.proxy.plainPort, null);
    const tunnel = await peers.open("h3", { path: "/ws" });
    assert.equal(await say(tunnel, "hi"), "main hi");
    assert.equal(tunnel.get("alt-svc"), null);
    tunnel.fin();
  });
});
