// Targets that hang: one that never connects, and one that says nothing.
import assert from "node:assert/strict";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { agentDial } from "../../src/tunnel/agent_dial.ts";
import { parseHostPattern } from "../../src/tunnel/host_pattern.ts";
import type { ConnectTarget } from "../../src/tunnel/link.ts";
import { Reach } from "../../src/tunnel/reach.ts";
import { TunnelRefused } from "../../src/tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { socksConnect } from "./socks_client.ts";
import { withTunnel } from "./support.ts";
import { echo, echoClient, echoes, filesBack, isIdle, openFiles, withTarget } from "./target.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;
/** A port that nobody answers at; no packet leaves this machine for it. */
const SILENT_PORT = 9;
const LATE_MS = 1_500;

/** Connects to all but the silent port, where it waits until it is given up. */
function dialOrHang(gaveUp: unknown[]): ConnectTarget {
  const reach = new Reach({
    allowed: [parseHostPattern("127.0.0.1")],
    ...{ forbidden: [], services: [], openPorts: [] },
  });
  const dial = agentDial({ reach, connectTimeoutMs: 5_000 });
  return async (target, signal) => {
    if (target.port !== SILENT_PORT) return await dial(target, signal);
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => {
      gaveUp.push(signal.reason);
      reject(new TunnelRefused(TunnelCode.CONNECTION_FAILED, "given up", signal.reason));
    });
    return await promise;
  };
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`hanging target by ${name}: who waits is told in time, the agent gives up, others go on`, async () => {
    const gaveUp: unknown[] = [];
    const gateway = { connectTimeoutMs: LATE_MS };
    const options = { transports, gateway, agent: { connect: dialOrHang(gaveUp) } };
    await withTunnel(options, async (tunnel) => {
      await withTarget(echo, async (port) => {
        const { socksPort } = tunnel.gateway;
        const client = await echoClient(socksPort!, port);
        const before = openFiles();
        const asked = Array.from(
          { length: 5 },
          () =>
            assert.rejects(
              socksConnect(socksPort!, "127.0.0.1", SILENT_PORT),
              /SOCKS5 reply [145]/,
            ),
        );
        await until("all hang", () => tunnel.agent.streams === 6);
        await echoes(client, "beside those that hang");
        await within("the replies", Promise.all(asked));
        await until("the agent gives up", () => gaveUp.length === 5);
        assert.match(tunnel.told.lines.join("\n"), /^refused 127\.0\.0\.1: .*1500 ms/m);
        await filesBack(before);
        await echoes(client, "and after them");
        client.reset();
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });

  Deno.test(`hanging target by ${name}: one that says nothing ends as idle, one that does lives`, async () => {
    const gateway = { idleTimeoutMs: 2_000 };
    await withTunnel({ transports, gateway }, async (tunnel) => {
      const { socksPort } = tunnel.gateway;
      await withTarget(() => {}, async (silentPort, silent) => {
        await withTarget(echo, async (port) => {
          const busy = await echoClient(socksPort!, port);
          const idle = await socksConnect(socksPort!, "127.0.0.1", silentPort);
          idle.write("x");
          let ended = false;
          void idle.ended.then(() => ended = true);
          await until("the end of the idle one", async () => {
            await echoes(busy, ".");
            return ended;
          });
          assert.match(tunnel.told.lines.join("\n"), /^closed us: idle.* 1\/0$/m);
          await until("the target's end", () => silent.size === 0);
          await echoes(busy, "still");
          busy.reset();
          await until("nothing left", () => isIdle(tunnel));
        });
      });
    });
  });
}
