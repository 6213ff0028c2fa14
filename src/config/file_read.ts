// A file in YAML by its schema: its values, or all that is wrong in it.
import type { z } from "zod";
import { ConfigFileError, type FileFault, nearestName } from "./file_fault.ts";
import type { FormFault } from "./file_form.ts";
import { kindOfValue } from "./file_values.ts";
import { type Path, YamlFile } from "./file_yaml.ts";
import type { Environment } from "./flags.ts";

/** What a file is read by. */
export interface FileForm<S extends z.core.$ZodType> {
  readonly schema: S;
  /** What no single value can tell. */
  readonly formFaults: (value: unknown) => readonly FormFault[];
}

/** A file's values, as they are written and as its schema gives them. */
export interface ReadFile<S extends z.core.$ZodType> {
  readonly yaml: YamlFile;
  readonly value: unknown;
  readonly data: z.output<S>;
}

/** The text of a file, which is in UTF-8. Throws `ConfigFileError`. */
export function decodeFile(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigFileError([whole(file, "is not in UTF-8")]);
  }
}

function whole(file: string, problem: string): FileFault {
  return { file, line: 1, column: 1, key: "", value: null, problem, allowed: null };
}

/**
 * What a file's text says. `file` stands in messages.
 *
 * @throws {ConfigFileError} with all that is wrong in it
 */
export function readFile<S extends z.ZodType>(
  text: string,
  { schema, formFaults }: FileForm<S>,
  { file, env = {} }: { file: string; env?: Environment },
): ReadFile<S> {
  const yaml = new YamlFile(text, env);
  const faults: FileFault[] = yaml.faults.map(({ path, ...fault }) => ({
    file,
    ...fault,
    key: yaml.find(path).key,
    allowed: null,
  }));
  if (faults.some(({ key }) => key === "")) throw new ConfigFileError(inOrder(faults));
  const value = withoutExtras(yaml.value ?? {});
  const parsed = schema.safeParse(value);
  const found = [
    ...(parsed.success
      ? []
      : parsed.error.issues.flatMap((issue) => issueFaults(issue, yaml, value))),
    ...formFaults(value).map(({ path, ...fault }) => {
      const { key, name } = yaml.find(path);
      return { ...name, key, value: null, allowed: null, ...fault };
    }),
  ];
  // What is wrong with a variable makes all else that is said of its value meaningless.
  const known = new Set(faults.map(({ key }) => key));
  faults.push(...found.filter(({ key }) => !known.has(key)).map((fault) => ({ file, ...fault })));
  if (faults.length > 0 || !parsed.success) throw new ConfigFileError(inOrder(faults));
  return { yaml, value, data: parsed.data };
}

/** Keys that begin with `x-` say nothing: they are for anchors. */
function withoutExtras(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith("x-")));
}

function inOrder(faults: readonly FileFault[]): FileFault[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column);
}

type Issue = z.core.$ZodIssue;

/** So many are told where another one was written. */
const MAX_NAMES = 20;

/** What is told of one issue of zod's. */
function issueFaults(issue: Issue, yaml: YamlFile, value: unknown): Omit<FileFault, "file">[] {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    const known = JSON.parse(issue.message) as string[];
    return issue.keys.map((name) => {
      const { key, name: place } = yaml.find([...path, name]);
      const near = nearestName(name, known);
      const all = known.length > MAX_NAMES ? "what h3ws schema tells" : known.join(", ");
      const allowed = near === undefined ? all : `did you mean ${near}?`;
      return { ...place, key, value: null, problem: "is not known", allowed };
    });
  }
  const { key, value: place, text } = yaml.find(path);
  if (issue.code === "custom") {
    const { allowed, isSecret } = issue.params as { allowed: string; isSecret: boolean };
    return [{ ...place, key, value: isSecret ? null : text, problem: issue.message, allowed }];
  }
  const input = path.reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], value);
  const wanted = issue.code === "invalid_type" && issue.expected === "array" ? "a list" : "a map";
  return [{ ...place, key, value: text, problem: kindOfValue(input), allowed: wanted }];
}
