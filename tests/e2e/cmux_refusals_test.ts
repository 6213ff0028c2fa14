// Issue 4, Build 7: what cmux mode refuses, by every door, in the words of checklist 002.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import type { CmuxOptions } from "../../src/proxy/cmux.ts";
import { type Asked, DOOR_IDS } from "../support/door_peers.ts";
import { deadPort, OVERRIDE, PORT, withCmux, WORKSPACE } from "./cmux_e2e.ts";

interface RefusalRow {
  name: string;
  asked: Asked;
  status: number;
  text: string;
  options?: Partial<CmuxOptions>;
}

const LONG_PORT = "65536";
const REFUSALS: RefusalRow[] = [
  {
    name: "no port",
    asked: {},
    status: 400,
    text: "missing required header: X-Cmux-Port-Internal",
  },
  {
    name: "a workspace without a port",
    asked: { fields: [[WORKSPACE, "workspace-1"]] },
    status: 400,
    text: "missing required header: X-Cmux-Port-Internal",
  },
  {
    name: "no port, where fields do not count",
    asked: { fields: [[PORT, "3000"]] },
    options: { headerRouting: false },
    status: 400,
    text: "No valid routing information found in request",
  },
  {
    name: "a port that is none",
    asked: { fields: [[PORT, "80x"]] },
    status: 400,
    text: "invalid port in X-Cmux-Port-Internal",
  },
  {
    name: "a port above 65535",
    asked: { fields: [[PORT, LONG_PORT]] },
    status: 400,
    text: "invalid port in X-Cmux-Port-Internal",
  },
  {
    name: "two ports",
    asked: { fields: [[PORT, "3000"], [PORT, "3001"]] },
    status: 400,
    text: "invalid port in X-Cmux-Port-Internal",
  },
  {
    name: "an empty port",
    asked: { fields: [[PORT, ""]] },
    status: 400,
    text: "header value cannot be empty",
  },
  {
    name: "an empty workspace",
    asked: { fields: [[PORT, "3000"], [WORKSPACE, ""]] },
    status: 400,
    text: "X-Cmux-Workspace-Internal cannot be empty",
  },
  {
    name: "a workspace that is a folder",
    asked: { fields: [[PORT, "3000"], [WORKSPACE, "a/"]] },
    status: 400,
    text: "invalid workspace name: a/",
  },
  {
    name: "a Host that is not local",
    asked: { fields: [[PORT, "3000"]], authority: "app.example" },
    status: 502,
    text: "Host header requires X-Cmux-Host-Override",
  },
  {
    name: "a Host that must not be named",
    asked: { fields: [[PORT, "3000"], [OVERRIDE, "evil.example"]] },
    options: { hostOverrides: ["*.good.example"] },
    status: 403,
    text: "X-Cmux-Host-Override is not allowed to name this host",
  },
  {
    name: "a privileged port",
    asked: { fields: [[PORT, "22"]] },
    status: 403,
    text: "port not allowed: 22",
  },
  {
    name: "a port that is not on the list",
    asked: { authority: "4000.cmux.local" },
    options: { ports: [[3000, 3999]] },
    status: 403,
    text: "port not allowed: 4000",
  },
  {
    name: "a client that may not ask",
    asked: { fields: [[PORT, "3000"]] },
    options: { clients: (ip) => ip !== "127.0.0.1" },
    status: 403,
    text: "cmux routing is not allowed from this address",
  },
];

for (const { name, asked, status, text, options = {} } of REFUSALS) {
  Deno.test(`cmux: refused by every door, in these words: ${name}`, async () => {
    await withCmux(options, async (peers, t) => {
      for (const door of DOOR_IDS) {
        const answers = [await peers.ask(door, asked), await peers.open(door, asked)];
        for (const answer of answers) {
          assert.deepEqual([answer.status, answer.body], [status, `${text}\n`], door);
        }
      }
      // Of those that were to be sessions there is a line each.
      assert.deepEqual(
        t.seen.rejections.map(({ reason }) => reason),
        DOOR_IDS.map(() => "address"),
      );
      assert.equal(t.backend.connections.length, 0);
    });
  });
}

Deno.test("cmux: a port that nobody listens at: 502 upstream request error, upstream upgrade error", async () => {
  await withCmux({}, async (peers, t) => {
    const fields: Field[] = [[PORT, String(await deadPort())]];
    for (const door of DOOR_IDS) {
      const answer = await peers.ask(door, { fields });
      assert.equal(answer.status, 502);
      assert.match(answer.body, /^upstream request error: .*refused/i, door);
      const tunnel = await peers.open(door, { fields });
      assert.equal(tunnel.status, 502);
      assert.match(tunnel.body, /^upstream upgrade error: .*refused/i, door);
    }
    assert.deepEqual(
      t.seen.failures.map(({ stage }) => stage),
      DOOR_IDS.flatMap(() => ["backend_dial", "backend_dial"]),
    );
  });
});

Deno.test("cmux: what would come back to the proxy itself is 508", async () => {
  await withCmux({}, async (peers, t) => {
    for (const own of [t.proxy.port, t.proxy.plainPort!]) {
      for (const door of DOOR_IDS) {
        const asked = { fields: [[PORT, String(own)]] as Field[] };
        for (const answer of [await peers.ask(door, asked), await peers.open(door, asked)]) {
          assert.deepEqual([answer.status, answer.body], [508, "Loop detected in proxy\n"], door);
        }
      }
    }
  });
});
