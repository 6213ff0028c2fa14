import { abortError } from "../client/http_client.ts";
import type { Finding, Outcome } from "./doctor_finding.ts";
import { skip } from "./doctor_finding.ts";

/** One thing to find out. `C` is what all probes know and share. */
export interface Probe<C> {
  readonly id: string;
  readonly title: string;
  /** Probes that must have gone well. */
  readonly needs?: readonly string[];
  /** Probes that must be over. */
  readonly behind?: readonly string[];
  /** How long it may take, where that is not the time of all. */
  readonly timeoutMs?: (context: C) => number;
  /** What it means that its time was over; default that nothing answered. */
  readonly late?: (context: C, timeoutMs: number) => Outcome;
  /** `signal` fires when its time is over, and its outcome is not asked for any more. */
  run(context: C, signal: AbortSignal): Promise<Outcome> | Outcome;
}

export interface RunOptions {
  /** Of each probe. */
  readonly timeoutMs: number;
  /** Ends all of them. */
  readonly signal: AbortSignal;
  /** What an error that a probe lets through means; it throws it again if it is a bug. */
  readonly explain: (error: unknown, timeoutMs: number) => Outcome;
  /** Called for each finding, in the order of the table, as soon as it and those before it are there. */
  readonly onFinding?: (finding: Finding) => void;
}

/** Runs all probes, side by side as far as they do not wait for others. In the order of the table. */
export async function runProbes<C>(
  probes: readonly Probe<C>[],
  context: C,
  options: RunOptions,
): Promise<Finding[]> {
  const outcomes = new Map<string, Promise<Outcome>>();
  for (const probe of probes) {
    // A probe waits for those before it in the table alone, so that none waits for ever.
    const wait = (id: string) => outcomes.get(id) ?? missing(probe.id, id);
    const before = (probe.needs ?? []).map((id) => ({
      title: probes.find((one) => one.id === id)!.title,
      outcome: wait(id),
    }));
    const behind = (probe.behind ?? []).map(wait);
    outcomes.set(probe.id, runBehind(probe, context, { ...options, before, behind }));
  }
  // A bug in one ends it at once, whatever is waited for.
  const whole = Promise.all(outcomes.values());
  const findings: Finding[] = [];
  for (const { id, title } of probes) {
    const outcome = await Promise.race([outcomes.get(id)!, whole.then(() => outcomes.get(id)!)]);
    const { level, value, advice = "", details = [] } = outcome;
    const finding = { id, level, title, value, advice, details };
    options.onFinding?.(finding);
    findings.push(finding);
  }
  return findings;
}

interface Behind extends RunOptions {
  readonly before: readonly { title: string; outcome: Promise<Outcome> }[];
  readonly behind: readonly Promise<Outcome>[];
}

async function runBehind<C>(probe: Probe<C>, context: C, options: Behind): Promise<Outcome> {
  for (const { title, outcome } of options.before) {
    const reason = stopOf(title, await outcome);
    if (reason !== null) return skip(reason);
  }
  await Promise.all(options.behind);
  return await runOne(probe, context, options);
}

/** Why nothing can be tried behind that; `null` if it can. */
function stopOf(title: string, { level, value, stops }: Outcome): string | null {
  if (stops !== undefined) return stops;
  if (level === "skip") return value;
  return level === "fail" ? `${title} failed` : null;
}

/** Who waits no longer: the deadline of all probes, or the user. */
function whyOver({ reason }: AbortSignal): string {
  const isTime = reason instanceof DOMException && reason.name === "TimeoutError";
  return isTime ? "the time of all probes was over" : "it was ended before";
}

async function runOne<C>(
  probe: Probe<C>,
  context: C,
  { timeoutMs: ofAll, signal, explain }: RunOptions,
): Promise<Outcome> {
  if (signal.aborted) return skip(whyOver(signal));
  const timeoutMs = probe.timeoutMs?.(context) ?? ofAll;
  const deadline = new AbortController();
  const end = (reason: unknown) => deadline.abort(reason);
  const timer = setTimeout(
    () => end(new DOMException("no answer in time", "TimeoutError")),
    timeoutMs,
  );
  const onAbort = () => end(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const late = new Promise<never>((_, reject) => {
    deadline.signal.addEventListener("abort", () => reject(abortError(deadline.signal)));
  });
  late.catch(() => {});
  const work = (async () => await probe.run(context, deadline.signal))();
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    if (!deadline.signal.aborted) return explain(error, timeoutMs);
    if (signal.aborted) return skip(whyOver(signal));
    return probe.late?.(context, timeoutMs) ?? explain(abortError(deadline.signal), timeoutMs);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

function missing(id: string, other: string): never {
  throw new TypeError(`The probe ${id} waits for ${other}, which is not before it`);
}
