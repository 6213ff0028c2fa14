import { plainFlag } from "../config/flags.ts";
import { choice, count, duration, onOff, optionalFile, size } from "../config/kinds.ts";
import { CommandError, defineCommand, ExitCode } from "./command.ts";
import { readCa } from "./files.ts";
import type { Io } from "./io.ts";
import type { LoadReport, Progress } from "./load.ts";
import { url } from "./url_kind.ts";

const benchFlags = {
  url: plainFlag({
    name: "url",
    kind: url,
    default: "wss://localhost/ws",
    meaning: "what echoes: wss:// over HTTP/3 or HTTP/1.1, ws:// over HTTP/1.1",
  }),
  http: plainFlag({
    name: "http",
    kind: choice(["auto", "1.1", "3"] as const),
    default: "auto",
    meaning: "HTTP version; auto: 3 for wss://, 1.1 for ws://",
  }),
  connections: plainFlag({
    name: "connections",
    kind: count(),
    default: "10",
    meaning: "connections at once",
  }),
  streams: plainFlag({
    name: "streams",
    kind: count(),
    default: "1",
    meaning: "WebSockets on each of them",
  }),
  sizeBytes: plainFlag({
    name: "size",
    kind: size({ min: 0 }),
    default: "64",
    meaning: "payload of a message",
  }),
  durationMs: plainFlag({
    name: "duration",
    kind: duration(),
    default: "10s",
    meaning: "how long to send",
  }),
  ratePerSecond: plainFlag({
    name: "rate",
    kind: count({ min: 0 }),
    default: "0",
    meaning: "round trips a second over all sockets; 0 for as many as come",
  }),
  text: plainFlag({
    name: "text",
    kind: onOff,
    default: "false",
    meaning: "text messages instead of binary",
  }),
  caFile: plainFlag({
    name: "ca",
    kind: optionalFile,
    default: "",
    meaning: "certificates in PEM to trust, beside the public ones",
  }),
  insecure: plainFlag({
    name: "insecure",
    kind: onOff,
    default: "false",
    meaning: "take any certificate (HTTP/1.1 only)",
  }),
  json: plainFlag({
    name: "json",
    kind: onOff,
    default: "false",
    meaning: "the report as one JSON object on stdout",
  }),
};

/** `h3ws bench`: load on an echo, with what it took. */
export const benchCommand = defineCommand({
  name: "bench",
  summary: "load a WebSocket echo over HTTP/3 or HTTP/1.1 and tell how long round trips take",
  flags: benchFlags,
  positional: "url",
  examples: [
    "h3ws bench wss://localhost:8443/ws --ca ca.pem --connections 10 --streams 10",
    "h3ws bench ws://127.0.0.1:8080/ --size 16KiB --duration 30s --json",
  ],
  async run(config, io) {
    const { runLoad } = await import("./load.ts");
    const http = httpOf(config);
    const caCerts = config.caFile === null ? undefined : [await readCa(config.caFile, "--ca")];
    const controller = new AbortController();
    void io.untilStopped().then(() => controller.abort());
    const live = !config.json && Deno.stderr.isTerminal();
    // Ten seconds may pass before it is known that nobody answers.
    if (live) io.err(`opening ${config.connections * config.streams} sockets to ${config.url} ...`);
    const report = await runLoad({
      ...config,
      http,
      caCerts,
      signal: controller.signal,
      onProgress: live ? (now) => io.err(progressLine(now)) : undefined,
    });
    if (live) io.err("\r\x1b[K");
    if (report.sockets === 0 && !config.json) throw new CommandError(nothingOpened(report, config));
    tell(report, config.json, io);
    return report.errors === 0 && report.roundTrips > 0 ? ExitCode.OK : ExitCode.FAILED;
  },
});

function nothingOpened(
  { url, http, errors, errorTexts }: LoadReport,
  { caFile }: { caFile: string | null },
): string {
  const [text] = Object.keys(errorTexts);
  if (text === undefined) return `Ended before a WebSocket to ${url} was open`;
  const unknown = /unknown ?issuer|unable to verify|self-signed/i.test(text);
  const hint = !unknown
    ? ""
    : caFile === null
    ? "; --ca names the file of the CA that signed it"
    : `; ${caFile} is not the CA that signed it`;
  const failed = `${errors} of ${errors} failed`;
  return `Cannot open a WebSocket to ${url} over HTTP/${http}: ${text}${hint} (${failed})`;
}

interface HttpChoice {
  url: string;
  http: "auto" | "1.1" | "3";
  insecure: boolean;
}

function httpOf({ url, http, insecure }: HttpChoice): "1.1" | "3" {
  const secure = /^(wss|https):/.test(url);
  if (http === "3" && !secure) {
    throw new CommandError(`--http 3 needs wss:// or https://, not ${url}`);
  }
  const version = http === "auto" ? (secure ? "3" : "1.1") : http;
  if (insecure && version === "3") {
    throw new CommandError("--insecure does nothing over HTTP/3; --ca names the CA to trust");
  }
  return version;
}

function progressLine({ elapsedMs, sockets, roundTrips, errors }: Progress): string {
  const rate = Math.round(roundTrips / elapsedMs * 1000).toLocaleString("en");
  return `\r\x1b[K${(elapsedMs / 1000).toFixed(1)} s  ${sockets} sockets  ` +
    `${roundTrips.toLocaleString("en")} round trips  ${rate}/s  ${errors} errors`;
}

function tell(report: LoadReport, json: boolean, io: Io): void {
  if (json) return io.out(`${JSON.stringify(report)}\n`);
  const { latencyUs, connectUs, errorTexts } = report;
  const row = (title: string, times: LoadReport["latencyUs"]) =>
    `${title.padEnd(12)} p50 ${ms(times.p50)}  p90 ${ms(times.p90)}  p99 ${ms(times.p99)}  ` +
    `p99.9 ${ms(times.p999)}  max ${ms(times.max)}\n`;
  io.out(
    `${report.url} over HTTP/${report.http}: ${report.sockets} sockets, ` +
      `${report.sizeBytes} bytes, ${report.seconds.toFixed(1)} s\n` +
      `round trips  ${report.roundTrips.toLocaleString("en")}, ` +
      `${Math.round(report.roundTripsPerSecond).toLocaleString("en")}/s, ` +
      `${report.megabytesPerSecond.toFixed(1)} MB/s each way\n` +
      row("latency", latencyUs) + row("handshake", connectUs) +
      `errors       ${report.errors}\n`,
  );
  for (const [text, times] of Object.entries(errorTexts)) io.out(`  ${times} × ${text}\n`);
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`;
}
