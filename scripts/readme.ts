// deno-lint-ignore-file no-console
/**
 * `deno run -A scripts/readme.ts`: writes into README.md what the source knows better: the flags of
 * every command, the knobs of `h3ws echo`, the keys of the configuration file, the names of all
 * metrics, and what the matrix of doors has tested. A test fails while they differ.
 *
 * Each of these parts stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
 */

import { EXIT_CODES } from "../src/cli/connect_end.ts";
import { KNOB_ROWS } from "../src/cli/echo_knobs.ts";
import { loadCommands } from "../src/cli/main.ts";
import { flagTableMarkdown } from "../src/config/flags.ts";
import { createAgentObserver } from "../src/observe/agent.ts";
import { createGatewayObserver } from "../src/observe/gateway.ts";
import { silentLog } from "../src/observe/log.ts";
import { PREFIX } from "../src/observe/metrics.ts";
import { createObserver } from "../src/observe/observer.ts";
import { Registry } from "../src/observe/registry.ts";
import { registerRuntime } from "../src/observe/runtime.ts";
import { AGENT_PREFIX, GATEWAY_PREFIX } from "../src/observe/tunnel_metrics.ts";
import { testedMarkdown } from "../tests/support/tunnel_matrix.ts";
import { fileKeyParts } from "./file_keys.ts";
import { main, ROOT, ScriptError } from "./project.ts";

/** What `prom-client` tells of a metric. */
interface Metric {
  name: string;
  help: string;
  type: string;
  values: { labels: Record<string, string | number> }[];
}

/** Whoever has metrics, with what makes them. */
const METRICS = {
  proxy: [PREFIX, (registry) => createObserver({ registry, log: silentLog })],
  gateway: [GATEWAY_PREFIX, (registry) => createGatewayObserver({ registry, log: silentLog })],
  agent: [
    AGENT_PREFIX,
    (registry) => createAgentObserver({ registry, log: silentLog, clientId: "" }),
  ],
} as const satisfies Record<string, readonly [string, (registry: Registry) => unknown]>;

/** All metrics of a command, with each series that is there from the start. */
export async function allMetrics(of: keyof typeof METRICS = "proxy"): Promise<Metric[]> {
  const registry = new Registry();
  const [prefix, register] = METRICS[of];
  register(registry);
  registerRuntime(registry, { version: "", prefix, eventLoopLag: () => 0 });
  return await (await registry.read()).getMetricsAsJSON() as unknown as Metric[];
}

/** A table in Markdown with a line for each metric, and below it the values of the labels. */
export async function metricsMarkdown(of: keyof typeof METRICS = "proxy"): Promise<string> {
  const metrics = (await allMetrics(of)).sort((a, b) => a.name < b.name ? -1 : 1);
  const rows = metrics.map((metric) => [
    code(metric.name),
    metric.type,
    [...labelsOf(metric).keys()].map(code).join(", "),
    metric.help.replaceAll("|", "\\|"),
  ]);
  const head = ["name", "type", "labels", "meaning"];
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`);
  return `${table.join("")}\n${labelList(metrics).join("")}`;
}

/** The values of each label that are there from the start; a histogram's own is left out. */
function labelsOf({ values }: Metric): Map<string, string> {
  const found = new Map<string, Set<string>>();
  for (const { labels } of values) {
    for (const [label, value] of Object.entries(labels)) {
      if (label === "le") continue;
      found.set(label, (found.get(label) ?? new Set()).add(String(value)));
    }
  }
  return new Map([...found].map(([label, values]) => [label, inOrder([...values]).join(", ")]));
}

// Keys of an object that look like whole numbers come before the others.
function inOrder(values: string[]): string[] {
  const numbers = values.every((value) => value !== "" && !isNaN(Number(value)));
  return numbers ? values.sort((a, b) => Number(a) - Number(b)) : values;
}

/** Each label with its values; with its metrics where they differ from one to the other. */
function labelList(metrics: readonly Metric[]): string[] {
  const metricsOf = new Map<string, Map<string, string[]>>();
  for (const metric of metrics) {
    for (const [label, values] of labelsOf(metric)) {
      if (label === "version") continue;
      const byValues = metricsOf.get(label) ?? new Map<string, string[]>();
      byValues.set(values, [...byValues.get(values) ?? [], code(metric.name)]);
      metricsOf.set(label, byValues);
    }
  }
  return [...metricsOf].sort().flatMap(([label, byValues]) =>
    [...byValues].map(([values, names]) =>
      `- ${code(label)}${byValues.size === 1 ? "" : ` of ${names.join(", ")}`}: ${values}\n`
    )
  );
}

function code(text: string): string {
  return "`" + text + "`";
}

function exitCodesMarkdown(): string {
  const rows = EXIT_CODES.map(([exit, close]) => [exit, close]);
  const table = [["exit code", "close code"], ["---", "---"], ...rows];
  return table.map((row) => `| ${row.join(" | ")} |\n`).join("");
}

/** A table in Markdown of what the query of a WebSocket asks of `h3ws echo`. */
function knobsMarkdown(): string {
  const rows = KNOB_ROWS.map(({ example, meaning }) => `| ${code(example)} | ${meaning} |\n`);
  return ["| knob | what it does |\n", "| --- | --- |\n", ...rows].join("");
}

/** Every generated part by its name. */
async function parts(): Promise<Map<string, string>> {
  const made = new Map([
    ["metrics", await metricsMarkdown()],
    ["metrics of gateway", await metricsMarkdown("gateway")],
    ["metrics of agent", await metricsMarkdown("agent")],
    ["matrix", testedMarkdown()],
    ["knobs of echo", knobsMarkdown()],
    ...fileKeyParts(),
    ["exit codes of connect", exitCodesMarkdown()],
  ]);
  for (const { name, flags } of await loadCommands()) {
    made.set(`flags of ${name}`, flagTableMarkdown(flags));
  }
  return made;
}

const PART = /<!-- generated: ([^>]+) -->\n[^]*?<!-- end of \1 -->/g;

/** The README with its generated parts as they should be. Throws `ScriptError` for one unknown. */
export async function render(readme: string): Promise<string> {
  const made = await parts();
  const used = new Set<string>();
  const text = readme.replace(PART, (_, name: string) => {
    const part = made.get(name);
    if (part === undefined) throw new ScriptError(`README.md: there is no part "${name}"`);
    used.add(name);
    return `<!-- generated: ${name} -->\n\n${part}\n<!-- end of ${name} -->`;
  });
  const missing = [...made.keys()].filter((name) => !used.has(name));
  if (missing.length > 0) throw new ScriptError(`README.md has no place for ${missing.join(", ")}`);
  return await format(text);
}

/** As `deno fmt` leaves it: it sets the columns of tables. */
async function format(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext", "md", "--config", `${ROOT}deno.json`, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await output;
  if (!success) throw new ScriptError("deno fmt could not format README.md");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  await main(async () => {
    const file = `${ROOT}README.md`;
    const before = await Deno.readTextFile(file);
    const after = await render(before);
    if (after !== before) await Deno.writeTextFile(file, after);
    console.log(`README.md: ${after === before ? "as it was" : "written"}`);
  });
}
