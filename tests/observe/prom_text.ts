// A strict reader of the Prometheus text format 0.0.4: it throws on anything that a scraper might
// take amiss, and on histograms that do not add up.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  name: string;
  help: string;
  type: string;
  samples: Sample[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,(?=.)|$)/;
const VALUE = /^(?:[+-]?Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** Reads a whole exposition; families by their name. */
export function parsePromText(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line has no line feed");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: { name: string; help: string } | null = null;
  let family: Family | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const helpMatch = HELP.exec(line);
    const typeMatch = TYPE.exec(line);
    if (helpMatch) {
      help = { name: helpMatch[1], help: helpMatch[2] };
      family = null;
    } else if (typeMatch) {
      const [, name, type] = typeMatch;
      if (help?.name !== name) throw new Error(`TYPE without its HELP: ${line}`);
      if (families.has(name)) throw new Error(`A second family ${name}`);
      family = { ...help, type, samples: [] };
      families.set(name, family);
      help = null;
    } else {
      if (!family) throw new Error(`A sample outside of its family: ${line}`);
      const sample = parseSample(line);
      checkName(family, sample.name);
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(key)) throw new Error(`A second sample: ${line}`);
      seen.add(key);
      family.samples.push(sample);
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

/** The value of one sample; throws if it is not there. */
export function valueOf(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const wanted = JSON.stringify(Object.entries(labels).sort());
  for (const { samples } of families.values()) {
    for (const sample of samples) {
      if (sample.name !== name) continue;
      if (JSON.stringify(Object.entries(sample.labels).sort()) === wanted) return sample.value;
    }
  }
  throw new Error(`No sample ${name} ${wanted}`);
}

function parseSample(line: string): Sample {
  const match = SAMPLE.exec(line);
  if (!match) throw new Error(`Not a sample: ${line}`);
  const [, name, labelText = "", valueText] = match;
  if (!VALUE.test(valueText)) throw new Error(`Not a value: ${line}`);
  const labels: Record<string, string> = {};
  let rest = labelText;
  while (rest !== "") {
    const label = LABEL.exec(rest);
    if (!label) throw new Error(`Not a label: ${rest}`);
    if (label[1] in labels) throw new Error(`A label twice: ${line}`);
    labels[label[1]] = label[2].replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c);
    rest = rest.slice(label[0].length);
  }
  return { name, labels, value: Number(valueText.replace("Inf", "Infinity")) };
}

function checkName({ name, type }: Family, sample: string): void {
  const allowed = type === "histogram"
    ? ["_bucket", "_sum", "_count"].map((s) => name + s)
    : [name];
  if (!allowed.includes(sample)) throw new Error(`${sample} does not belong to ${type} ${name}`);
}

function checkFamily(family: Family): void {
  const { name, type, samples } = family;
  if (samples.length === 0) throw new Error(`${name} has no samples`);
  if (type === "counter") {
    if (!name.endsWith("_total")) throw new Error(`A counter not named _total: ${name}`);
    if (samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} is below 0`);
  }
  if (type === "histogram") checkHistogram(family);
}

function checkHistogram({ name, samples }: Family): void {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    groups.set(key, [...groups.get(key) ?? [], sample]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels.le.replace("Inf", "Infinity")));
    const one = (suffix: string) => {
      const found = group.filter((sample) => sample.name === name + suffix);
      if (found.length !== 1) throw new Error(`${name}${suffix} ${key}: ${found.length} samples`);
      return found[0].value;
    };
    for (let i = 1; i < buckets.length; i++) {
      if (!(bounds[i] > bounds[i - 1])) throw new Error(`${name} ${key}: le does not rise`);
      if (buckets[i].value < buckets[i - 1].value) {
        throw new Error(`${name} ${key}: not cumulative`);
      }
    }
    if (bounds.at(-1) !== Infinity) throw new Error(`${name} ${key}: no +Inf bucket at the end`);
    if (buckets.at(-1)!.value !== one("_count")) throw new Error(`${name} ${key}: +Inf != count`);
    one("_sum");
  }
}
