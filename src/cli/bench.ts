import { parseTarget } from "../client/target.ts";
import { UsageError } from "../config/error.ts";
import { visibleJson } from "../protocol/wire/visible.ts";
import { type BenchConfig, benchFlags, checkFlags, versionOf } from "./bench_flags.ts";
import { k6Summary } from "./bench_k6.ts";
import { liveView, noView, plainView, type View } from "./bench_live.ts";
import { reportText } from "./bench_text.ts";
import { CommandError, defineCommand, ExitCode } from "./command.ts";
import { readCa, shortReason } from "./files.ts";
import { readClientCertificate, requestTo } from "./handshake_flags.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";
import type { Loaded, LoadReport } from "./load.ts";
import type { LoadHttp, LoadTarget } from "./load_options.ts";

/** `h3ws bench`: load on an echo, with what it took. */
export const benchCommand = defineCommand({
  ...LISTED.bench,
  flags: benchFlags,
  positional: "url",
  async run(config, io) {
    checkFlags(config);
    const stop = new AbortController();
    void io.untilStopped().then(() => stop.abort());
    const target = await targetOf(config);
    await checkWritable(config);
    const http = await httpOf(config, target, stop.signal);
    const loaded = await load({ config, target, http, signal: stop.signal }, io);
    const { report } = loaded;
    if (report.sockets === 0 && !config.json) throw new CommandError(nothingOpened(report));
    await write(loaded, config, io);
    const isFine = report.errors <= config.maxErrors && report.roundTrips > 0;
    return isFine ? ExitCode.OK : ExitCode.FAILED;
  },
});

/** That a file can't be written is told before the load, not after it; what is in it stays. */
async function checkWritable({ htmlFile, k6File }: BenchConfig): Promise<void> {
  for (const file of [htmlFile, k6File]) {
    if (file === null) continue;
    await orUnwritable(file, async () => {
      (await Deno.open(file, { write: true, create: true })).close();
    });
  }
}

async function orUnwritable(file: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new CommandError(`Cannot write ${file}: ${shortReason(error)}`, { cause: error });
  }
}

function writeFile(file: string, text: string): Promise<void> {
  return orUnwritable(file, () => Deno.writeTextFile(file, text));
}

type Target = Omit<LoadTarget, "http" | "host"> & { host: string | undefined };

/** Where it goes, as whom, and who is trusted there. */
async function targetOf(config: BenchConfig): Promise<Target> {
  const { caFile, insecure, host, subprotocols, compress } = config;
  const { url, fields } = requestTo(config.url, config);
  return {
    ...{ url: parseTarget(url).text, caFile, insecure, protocols: subprotocols, headers: fields },
    caCerts: caFile === null ? undefined : [await readCa(caFile, "--ca")],
    clientCertificate: await readClientCertificate(config),
    host: host ?? undefined,
    deflate: compress,
  };
}

function clash(flag: string, problem: string, allowed: string): UsageError {
  return new UsageError({ key: `--${flag}`, value: null, problem, allowed });
}

async function httpOf(config: BenchConfig, to: Target, signal: AbortSignal): Promise<LoadHttp> {
  const target = parseTarget(to.url);
  const asked = versionOf(config);
  if (asked === "3" && !target.secure) {
    throw clash("http", `3 needs wss:// or https://, not ${target.text}`, "1.1, 2 or auto there");
  }
  if (asked === "3" && to.insecure) {
    throw clash("insecure", "does nothing over HTTP/3", "--ca, which names the CA to trust");
  }
  if (asked === "3" && to.clientCertificate !== undefined) {
    throw clash("cert", "can't be shown over HTTP/3", "-1 or -2, which show it");
  }
  if (asked !== "auto") return asked;
  const { bestHttp } = await import("./load_http.ts");
  const { openTimeoutMs } = config;
  return await bestHttp(target, { ...to, openTimeoutMs }, signal);
}

interface Asked {
  config: BenchConfig;
  target: Target;
  http: LoadHttp;
  signal: AbortSignal;
}

async function load({ config, target, http, signal }: Asked, io: Io): Promise<Loaded> {
  const { runLoad } = await import("./load.ts");
  const view = viewOf(config, { ...target, http }, io);
  const { sizes } = config;
  try {
    return await runLoad({
      ...{ ...config, ...target, http, signal },
      sizeBytes: sizes.minBytes,
      maxSizeBytes: sizes.maxBytes,
      onProgress: view === noView ? undefined : (now) => view.show(now),
    });
  } finally {
    view.end();
  }
}

function viewOf(config: BenchConfig, { url, http }: LoadTarget, io: Io): View {
  const { quiet, json, warmupMs, durationMs } = config;
  if (quiet) return noView;
  const options = {
    ...{ url, http, warmupMs, durationMs, size: terminalSize, write: io.err },
  };
  if (Deno.stderr.isTerminal()) return liveView(options);
  return json ? noView : plainView(options);
}

/** Of the one that stderr is, though stdout may be a file. */
function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 0, rows: 0 };
  }
}

function nothingOpened({ url, http, errors, errorTexts }: LoadReport): string {
  const [text] = Object.keys(errorTexts);
  if (text === undefined) return `Ended before a WebSocket to ${url} was open`;
  const failed = `${errorTexts[text]} of ${errors} failed`;
  return `Cannot open a WebSocket to ${url} over HTTP/${http}: ${text} (${failed})`;
}

async function write(loaded: Loaded, config: BenchConfig, io: Io): Promise<void> {
  const { report } = loaded;
  const { json, htmlFile, k6File } = config;
  if (k6File !== null) {
    await writeFile(k6File, `${visibleJson(k6Summary(loaded), 2)}\n`);
  }
  if (htmlFile !== null) {
    const { reportPage } = await import("./bench_html.ts");
    await writeFile(htmlFile, reportPage(report));
  }
  io.out(json ? `${visibleJson(report)}\n` : reportText(report));
}
