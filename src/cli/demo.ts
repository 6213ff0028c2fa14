import { connectWebSocket } from "../client/connect.ts";
import { H3Client } from "../client/h3_client.ts";
import { formatAddress } from "../config/address.ts";
import { plainFlag } from "../config/flags.ts";
import { address, onOff, optionalAddress } from "../config/kinds.ts";
import { readProxyConfig } from "../config/proxy.ts";
import { makeCertificates } from "./certificates.ts";
import { CommandError, defineCommand, ExitCode } from "./command.ts";
import { DEMO_PAGE } from "./demo_page.ts";
import type { Io } from "./io.ts";
import { serve } from "./serve.ts";

const demoFlags = {
  listen: plainFlag({
    name: "listen",
    kind: address,
    default: "127.0.0.1:8443",
    meaning: "UDP address of HTTP/3; port 0 for any",
  }),
  metrics: plainFlag({
    name: "metrics",
    kind: optionalAddress,
    default: "127.0.0.1:9090",
    meaning: "TCP address of the metrics; off for none",
  }),
  once: plainFlag({
    name: "once",
    kind: onOff,
    default: "false",
    meaning: "end after the round trip instead of serving on",
  }),
};

const DAYS = 14;
const HEAD = { scheme: "https", protocol: null, fields: [] };

/** `h3ws demo`: the whole way in one process, shown step by step. */
export const demoCommand = defineCommand({
  name: "demo",
  summary: "certificates, an echo backend, the proxy and a WebSocket over HTTP/3 through all of it",
  flags: demoFlags,
  examples: ["h3ws demo", "h3ws demo --once --listen 127.0.0.1:0 --metrics off"],
  async run({ listen, metrics, once }, io) {
    const step = stepper(io);
    const hosts = ["localhost", "127.0.0.1"];
    const { caPem, certPem, keyPem, spkiHash } = await makeCertificates({ hosts, days: DAYS });
    step(`certificates   a CA and a leaf for ${hosts.join(", ")}, in memory, ${DAYS} days`);

    const { startEcho } = await import("./echo_server.ts");
    const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
    const backend = `ws://127.0.0.1:${echo.port}`;
    step(`echo backend   ${backend} (HTTP/1.1, npm:ws)`);
    try {
      const config = readProxyConfig({ backend, "log-format": "text", "log-level": "warning" });
      const serving = await serve({ ...config, listen, metrics }, {
        pair: { certPem, keyPem },
        page: ({ path }) =>
          path === "/"
            ? { status: 200, text: DEMO_PAGE, contentType: "text/html; charset=utf-8" }
            : null,
      });
      const { proxy } = serving;
      try {
        step(
          `proxy          https://localhost:${proxy.port}/ws over HTTP/3 (UDP ${
            formatAddress(proxy)
          })`,
        );
        if (serving.metrics !== null) step(`metrics        http://${serving.metrics}/metrics`);
        await roundTrip(`localhost:${proxy.port}`, caPem, step);
        if (once) return ExitCode.OK;
        io.out(howToTry(proxy.port, spkiHash));
        await io.untilStopped();
        io.out("\nDraining: every socket gets Close 1001.\n");
        return ExitCode.OK;
      } finally {
        await serving.drain(once ? 0 : DRAIN_MS);
      }
    } finally {
      await echo.close();
    }
  },
});

const DRAIN_MS = 1_000;

function stepper(io: Io): (text: string) => void {
  let count = 0;
  const startedMs = performance.now();
  return (text) => {
    const ms = (performance.now() - startedMs).toFixed(0).padStart(5);
    io.out(`${String(++count).padStart(2)}. ${ms} ms  ${text}\n`);
  };
}

/** A real WebSocket over HTTP/3, through the proxy to the backend and back. */
async function roundTrip(
  authority: string,
  caPem: string,
  step: (text: string) => void,
): Promise<void> {
  const port = Number(authority.split(":")[1]);
  const client = await H3Client.connect({ hostname: "localhost", port, caCerts: [caPem] });
  try {
    step("QUIC           connected: TLS 1.3, ALPN h3");
    if (!await client.extendedConnect()) throw new CommandError("no ENABLE_CONNECT_PROTOCOL");
    step("SETTINGS       the server announces ENABLE_CONNECT_PROTOCOL = 1 (RFC 9220)");
    const health = await client.fetch({ ...HEAD, method: "GET", authority, path: "/healthz" });
    step(`GET /healthz   ${health.status} over HTTP/3`);
    const url = `wss://${authority}/ws`;
    let ponged = () => {};
    const pong = new Promise<void>((resolve) => ponged = resolve);
    const socket = await connectWebSocket(url, { connection: client, onPong: () => ponged() });
    step("CONNECT /ws    200, the backend said 101 to its own handshake");
    await socket.send("hello over HTTP/3");
    step(`text           "${await socket.receive()}" came back`);
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    await socket.send(bytes);
    const echo = await socket.receive();
    const same = echo instanceof Uint8Array && echo.length === bytes.length &&
      echo.every((byte, i) => byte === bytes[i]);
    if (!same) throw new CommandError("the echo of 64 KiB differs from what was sent");
    step("binary         64 KiB came back, byte for byte");
    await socket.ping(new TextEncoder().encode("are you there"));
    const closing = socket.close(4001, "demo is over");
    await pong;
    step("Ping           answered by the backend, once");
    const { code, reason } = await closing;
    step(`Close          ${code} from the backend${reason === "" ? "" : `, "${reason}"`}`);
  } finally {
    client.close();
  }
}

function howToTry(port: number, spkiHash: string): string {
  return `
It works, and goes on serving. To try it in Chromium, which asks for WebSocket over HTTP/3 only
with these flags (--user-data-dir keeps it apart from your own browser):

  chromium --user-data-dir=/tmp/h3ws-demo --enable-quic \\
    --origin-to-force-quic-on=localhost:${port} \\
    --enable-features=EnableWebsocketsOverHttp3 \\
    --ignore-certificate-errors-spki-list=${spkiHash} \\
    --host-resolver-rules="MAP localhost 127.0.0.1" \\
    https://localhost:${port}/

Load it:    h3ws bench takes --url and --ca; see h3ws bench --help
End it:     Ctrl+C
`;
}
