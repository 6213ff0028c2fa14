import { parseTarget } from "../client/target.ts";
import { visibleJson } from "../protocol/wire/visible.ts";
import { type Command, defineCommand, ExitCode } from "./command.ts";
import type { Finding } from "./doctor_finding.ts";
import { type DoctorConfig, doctorFlags } from "./doctor_flags.ts";
import { readCa } from "./files.ts";
import { checkClientCertificate, readClientCertificate, requestTo } from "./handshake_flags.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";

/** However many probes wait for others, all are over then; the idle probe's time comes on top. */
const ALL_MS = 14_000;
/** The most probes that wait one for the other. */
const LONGEST_CHAIN = 8;

/** What `--json` gives. Keys and ids are stable; texts are for people. */
interface DoctorReport {
  readonly url: string;
  /** Whether nothing is missing that a browser needs. */
  readonly ok: boolean;
  readonly tookMs: number;
  readonly findings: readonly Finding[];
}

/** `h3ws doctor`: what a server can do, and why a WebSocket to it fails. */
export const doctorCommand: Command = defineCommand({
  ...LISTED.doctor,
  flags: doctorFlags,
  positional: "url",
  async run(config, io) {
    checkClientCertificate(config);
    const report = await examine(config, io);
    if (config.json) io.out(`${visibleJson(report)}\n`);
    return report.ok ? ExitCode.OK : ExitCode.FAILED;
  },
});

async function examine(config: DoctorConfig, io: Io): Promise<DoctorReport> {
  const caCerts = config.caFile === null ? undefined : [await readCa(config.caFile, "--ca")];
  const clientCertificate = await readClientCertificate(config);
  const { makeContext, release } = await import("./doctor_context.ts");
  const { probesFor } = await import("./doctor_probes.ts");
  const { explain } = await import("./doctor_explain.ts");
  const { findingTable } = await import("./doctor_table.ts");
  const { runProbes } = await import("./doctor_run.ts");
  const beganMs = performance.now();
  const { url, fields } = requestTo(config.url, config);
  const target = parseTarget(url);
  const context = makeContext({ target, config, fields, caCerts, clientCertificate, env: io.env });
  const all = new AbortController();
  const mostMs = Math.max(ALL_MS, LONGEST_CHAIN * (config.timeoutMs - 3_000)) + config.idleMs;
  const timer = setTimeout(() => all.abort(new DOMException("too long", "TimeoutError")), mostMs);
  void io.untilStopped().then(() => all.abort());
  try {
    const { signal } = all;
    const { timeoutMs } = config;
    const probes = probesFor(target.secure);
    const table = findingTable(probes.map(({ title }) => title), isColoured(io));
    if (!config.json) io.out(`${target.text}\n\n`);
    const onFinding = config.json ? undefined : (one: Finding) => io.out(table.row(one));
    const findings = await runProbes(probes, context, { timeoutMs, signal, explain, onFinding });
    if (!config.json) io.out(table.end(findings));
    return {
      url: target.text,
      // What was not tried to its end is not known to be well.
      ok: !signal.aborted && findings.every(({ level }) => level !== "fail"),
      tookMs: Math.round(performance.now() - beganMs),
      findings,
    };
  } finally {
    clearTimeout(timer);
    await release(context);
  }
}

function isColoured(io: Io): boolean {
  return !io.env.NO_COLOR && Deno.stdout.isTerminal();
}
