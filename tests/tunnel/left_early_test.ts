// Clients that leave while their target is being dialled: that is given up, and their place is free.
import assert from "node:assert/strict";
import * as net from "node:net";
import { dialRaw } from "../../src/net/raw_tcp.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import type { AgentTransport } from "../../src/tunnel/agent_links.ts";
import type { ConnectTarget } from "../../src/tunnel/link.ts";
import { TunnelRefused } from "../../src/tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { LOOPBACK, type TestTunnel, withTunnel } from "./support.ts";
import { isIdle, withTarget } from "./target.ts";

type Front = "socks5" | "http" | "forward";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;
const ASK = {
  socks5: Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 9),
  http: "CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n",
  forward: "",
} as const;

const NOBODY_LEAVES = new AbortController().signal;
const target = { protocol: "tcp", host: "127.0.0.1", port: 9 } as const;

/** The attempts of an agent. */
class Dials {
  begun = 0;
  gaveUp = 0;
  /** From now on they succeed. */
  readonly go = Promise.withResolvers<number>();

  readonly connect: ConnectTarget = async (_, signal) => {
    this.begun++;
    const over = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => {
      this.gaveUp++;
      over.reject(new TunnelRefused(TunnelCode.CONNECTION_FAILED, "given up"));
    });
    const port = await Promise.race([this.go.promise, over.promise]);
    return await dialRaw({ hostname: "127.0.0.1", port }, NOBODY_LEAVES);
  };
}

/** A tunnel whose agent dials for as long as it is let. */
async function withDials(
  transports: readonly AgentTransport[],
  run: (tunnel: TestTunnel, dials: Dials) => Promise<void>,
): Promise<void> {
  const dials = new Dials();
  const forwards = [{ listen: LOOPBACK, group: "default", target }];
  const gateway = { connectTimeoutMs: 600_000, forwards };
  await withTunnel({ transports, agent: { connect: dials.connect }, gateway }, async (tunnel) => {
    await run(tunnel, dials);
  });
}

/** A client whose target is being dialled. */
async function ask(
  { gateway }: TestTunnel,
  { front, early = "", dials }: { front: Front; early?: string; dials: Dials },
): Promise<net.Socket> {
  const { mixedPort, forwardPorts: [forwardPort] } = gateway;
  const port = front === "forward" ? forwardPort : mixedPort!;
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  socket.on("error", () => {});
  await within("the gateway", new Promise<void>((resolve) => socket.once("connect", resolve)));
  const bytes = ASK[front];
  const text = typeof bytes === "string" ? bytes : String.fromCharCode(...bytes);
  if (text + early !== "") socket.write(text + early, "latin1");
  await until("the attempt", () => dials.begun === 1);
  return socket;
}

/** The attempt is given up, and nothing is left of it. */
async function isFree({ told, gateway, agent }: TestTunnel, dials: Dials): Promise<void> {
  await until("the end of the attempt", () => dials.gaveUp === 1);
  await until("nothing left", () => isIdle({ gateway, agent }) && gateway.clients === 0);
  const refused = told.lines.filter((line) => line.startsWith("refused"));
  assert.equal(refused.length, 1);
  assert.match(refused[0], /client/);
}

for (const [name, transports] of Object.entries(TRANSPORTS)) {
  for (const front of ["socks5", "http", "forward"] as const) {
    Deno.test(`tunnel by ${name}: a ${front} client that resets while its target is dialled`, async () => {
      await withDials(transports, async (tunnel, dials) => {
        (await ask(tunnel, { front, dials })).resetAndDestroy();
        await isFree(tunnel, dials);
      });
    });
  }
}

for (const front of ["socks5", "http"] as const) {
  Deno.test(`tunnel: a ${front} client that closes while its target is dialled`, async () => {
    await withDials(["ws"], async (tunnel, dials) => {
      (await ask(tunnel, { front, dials })).destroy();
      await isFree(tunnel, dials);
    });
  });

  Deno.test(`tunnel: a ${front} client that resets behind bytes for the target that is dialled`, async () => {
    await withDials(["ws"], async (tunnel, dials) => {
      (await ask(tunnel, { front, early: "early", dials })).resetAndDestroy();
      await isFree(tunnel, dials);
    });
  });
}

/** Says what it got, once that has ended. */
function tellAll(conn: net.Socket): void {
  let got = "";
  conn.on("data", (bytes) => got += bytes);
  conn.on("end", () => conn.end(`got ${got}`));
}

for (
  const { front, early } of [
    { front: "socks5", early: "all of it" },
    { front: "http", early: "all of it" },
    { front: "forward", early: "all of it" },
    { front: "forward", early: "" },
  ] as const
) {
  const what = early === "" ? "nothing" : "all that it had to say";
  Deno.test(`tunnel: a ${front} client that said ${what} and ended its side is served`, async () => {
    await withDials(["ws"], async (tunnel, dials) => {
      await withTarget(tellAll, async (port) => {
        const client = await ask(tunnel, { front, early, dials });
        let got = "";
        client.on("data", (bytes) => got += bytes);
        const ended = new Promise((resolve) => client.once("end", resolve));
        await new Promise<void>((resolve) => client.end(resolve));
        dials.go.resolve(port);
        await within("the end", ended);
        assert.ok(got.endsWith(`got ${early}`), got);
        await until("nothing left", () => isIdle(tunnel));
      });
    });
  });
}
