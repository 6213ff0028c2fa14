import { type Address, formatAddress } from "../net/address.ts";
import { plainFlag } from "../config/flags.ts";
import { address, onOff, optionalAddress } from "../config/kinds.ts";
import { readProxyConfig } from "../config/proxy.ts";
import { makeCertificates } from "./certificates.ts";
import { defineCommand, ExitCode } from "./command.ts";
import { DEMO_PAGE } from "./demo_page.ts";
import { roundTrip } from "./demo_round_trip.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";
import { programName } from "./program.ts";
import { serve, type Serving } from "./serve.ts";
import { NOTHING_TO_REREAD, onHangup } from "./signals.ts";

const demoFlags = {
  listen: plainFlag({
    name: "listen",
    kind: address,
    default: "127.0.0.1:8443",
    meaning: "UDP address of HTTP/3; any free port where that default is taken",
  }),
  metrics: plainFlag({
    name: "metrics",
    kind: optionalAddress,
    default: "127.0.0.1:9090",
    meaning: "TCP address of the metrics; any free port where that default is taken; off for none",
  }),
  once: plainFlag({
    name: "once",
    kind: onOff,
    default: "false",
    meaning: "end after the round trip instead of serving on",
  }),
};

const DAYS = 14;
const DRAIN_MS = 3_000;

/** `h3ws demo`: the whole way in one process, shown step by step. */
export const demoCommand = defineCommand({
  ...LISTED.demo,
  flags: demoFlags,
  async run({ listen, metrics, once }, io, given) {
    const step = stepper(io);
    const hostname = reachable(listen.hostname);
    const hosts = [...new Set(["localhost", "127.0.0.1", hostname])];
    const { caPem, certPem, keyPem, spkiHash } = await makeCertificates({ hosts, days: DAYS });
    step(`certificates   a CA and a leaf for ${hosts.join(", ")}, in memory, ${DAYS} days`);

    const { startEcho } = await import("./echo_server.ts");
    const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
    const backend = `ws://127.0.0.1:${echo.port}`;
    step(`echo backend   ${backend} (HTTP/1.1, npm:ws)`);
    try {
      const config = readProxyConfig({ backend, "log-format": "text", "log-level": "warning" });
      const serving = await serve({ ...config, listen, metrics, metricsGiven: true }, {
        pair: { certPem, keyPem },
        page,
        freePort: { listen: !given("listen"), metrics: !given("metrics") },
      });
      try {
        const { port } = serving.proxy;
        showAddresses(serving, { listen, metrics, step });
        await roundTrip({ hostname, port, caPem, step });
        if (!once) await serveOn(io, { hostname, port, caPem, spkiHash });
        return ExitCode.OK;
      } finally {
        await serving.drain(once ? 0 : DRAIN_MS);
      }
    } finally {
      await echo.close();
    }
  },
});

function page({ path }: { path: string }) {
  if (path !== "/") return null;
  return { status: 200, text: DEMO_PAGE, contentType: "text/html; charset=utf-8" };
}

/** Where a server that listens there is reached on this machine. */
function reachable(hostname: string): string {
  return hostname === "::" || hostname === "0.0.0.0" ? "127.0.0.1" : hostname;
}

function stepper(io: Io): (text: string) => void {
  let count = 0;
  const startedMs = performance.now();
  return (text) => {
    const ms = (performance.now() - startedMs).toFixed(0).padStart(5);
    io.out(`${String(++count).padStart(2)}. ${ms} ms  ${text}\n`);
  };
}

function showAddresses(
  { proxy, metrics }: Serving,
  asked: { listen: Address; metrics: Address | null; step: (text: string) => void },
): void {
  const { listen, step } = asked;
  const moved = listen.port !== 0 && listen.port !== proxy.port ? `; ${listen.port} is taken` : "";
  const udp = formatAddress(proxy);
  step(`proxy          https://localhost:${proxy.port}/ws over HTTP/3 (UDP ${udp}${moved})`);
  if (metrics === null || asked.metrics === null) return;
  const { port } = asked.metrics;
  const note = port === 0 || metrics.endsWith(`:${port}`) ? "" : ` (${port} is taken)`;
  step(`metrics        http://${metrics}/metrics${note}`);
}

interface Reached {
  hostname: string;
  port: number;
  caPem: string;
  spkiHash: string;
}

/** Tells how to try it, and serves until the process is asked to end. */
async function serveOn(io: Io, reached: Reached): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "h3ws-demo-" });
  const release = onHangup({ asked: () => io.err(NOTHING_TO_REREAD) });
  try {
    await Deno.writeTextFile(`${folder}/ca.pem`, reached.caPem);
    // Who reads the last line may ask for the end at once.
    const stopped = io.untilStopped();
    io.out(howToTry(reached, { folder, h3ws: programName(io.env) }));
    await stopped;
    io.out("\nDraining: every socket gets Close 1001.\n");
  } finally {
    release();
    // A browser that still runs may hold its profile there.
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

function howToTry(
  { hostname, port, spkiHash }: Reached,
  { folder, h3ws }: { folder: string; h3ws: string },
): string {
  const host = hostname === "127.0.0.1" ? "localhost" : hostname;
  const url = `wss://${formatAddress({ hostname: host, port })}/ws`;
  const more = Deno.build.os === "windows" ? "^" : "\\";
  return `
It works, and goes on serving.

In Chromium or Chrome, which take WebSocket over HTTP/3 only with these flags (and as a process of
its own: --user-data-dir):

  chromium --user-data-dir=${folder}/chromium --enable-quic ${more}
    --origin-to-force-quic-on=localhost:${port} ${more}
    --enable-features=EnableWebsocketsOverHttp3 ${more}
    --ignore-certificate-errors-spki-list=${spkiHash} ${more}
    --host-resolver-rules="MAP localhost ${hostname}" ${more}
    https://localhost:${port}/

Load it, in another terminal:

  ${h3ws} bench ${url} --ca ${folder}/ca.pem

End it: Ctrl+C
`;
}
