// `h3ws.yaml`: what the flags say, and the routes.
import { dirname, isAbsolute, join } from "node:path";
import type { z } from "zod";
import { type CmuxConfig, cmuxConfig } from "./file_cmux.ts";
import { ConfigFileError, type FileFault, nearestName } from "./file_fault.ts";
import { formFaults } from "./file_form.ts";
import { type NamedFiles, namedFiles } from "./file_named.ts";
import { derivedName, type RouteConfig, routeConfig } from "./file_route.ts";
import { fileSchema, type FileSections, TOP_KINDS } from "./file_schema.ts";
import { kindOfValue } from "./file_values.ts";
import { type Path, YamlFile } from "./file_yaml.ts";
import { type Environment, envName } from "./flags.ts";

export type { CmuxConfig } from "./file_cmux.ts";
export { ConfigFileError, faultLine, type FileFault } from "./file_fault.ts";
export type { RouteConfig } from "./file_route.ts";

/** Where a certificate and its key stand. */
export interface CertFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** All that a file says. The paths in it lead from the file's own folder. */
export interface FileConfig {
  /** As it was given. */
  readonly file: string;
  /** Texts by the names of flags: what a flag and the environment do not say. */
  readonly flags: Readonly<Record<string, string>>;
  /** Beside that of `cert` and `key`; empty for that one alone. */
  readonly certificates: readonly CertFiles[];
  readonly routes: readonly RouteConfig[];
  /** Whether it has a list of them. Where that is empty, no request is for a backend. */
  readonly hasRoutes: boolean;
  readonly cmux: CmuxConfig | null;
  /** `certificates` and `cmux` as they are written, in JSON, where they are there. */
  readonly written: Readonly<Record<string, string>>;
  /** The files that it names, each with its place. */
  readonly named: NamedFiles;
}

export const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * Reads and checks a configuration file.
 *
 * @throws {ConfigFileError} with all that is wrong in it
 * @throws {Deno.errors.NotFound} and the like when it can't be read
 */
export async function readConfigFile(file: string, env: Environment): Promise<FileConfig> {
  using handle = await Deno.open(file);
  const { size, isDirectory } = await handle.stat();
  if (isDirectory) throw new Deno.errors.IsADirectory("it is a directory");
  if (size > MAX_CONFIG_BYTES) throw new ConfigFileError([tooLarge(file)]);
  // A pipe has no size beforehand.
  const bytes = new Uint8Array(MAX_CONFIG_BYTES + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = await handle.read(bytes.subarray(length));
    if (count === null) return parseConfig(decode(bytes.subarray(0, length), file), { file, env });
    length += count;
  }
  throw new ConfigFileError([tooLarge(file)]);
}

function tooLarge(file: string): FileFault {
  return whole(file, "is larger than 1 MiB");
}

function whole(file: string, problem: string): FileFault {
  return { file, line: 1, column: 1, key: "", value: null, problem, allowed: null };
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigFileError([whole(file, "is not in UTF-8")]);
  }
}

/**
 * What a file's text says. `file` stands in messages, and its folder is where paths lead from.
 *
 * @throws {ConfigFileError} with all that is wrong in it
 */
export function parseConfig(
  text: string,
  { file, env = {} }: { file: string; env?: Environment },
): FileConfig {
  const yaml = new YamlFile(text, env);
  const faults: FileFault[] = yaml.faults.map(({ path, ...fault }) => ({
    file,
    ...fault,
    key: yaml.find(path).key,
    allowed: null,
  }));
  if (faults.some(({ key }) => key === "")) throw new ConfigFileError(inOrder(faults));
  const value = withoutExtras(yaml.value ?? {});
  const parsed = fileSchema.safeParse(value);
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
  const at = pathFrom(file);
  return {
    ...{ file, ...assemble(parsed.data, at) },
    ...{ written: writtenOf(value), named: namedFiles(yaml, at) },
  };
}

/** Paths in a file lead from its folder. */
function pathFrom(file: string): (path: string) => string {
  return (path) => isAbsolute(path) ? path : join(dirname(file), path);
}

function writtenOf(value: unknown): Record<string, string> {
  const sections = Object.entries(value as Record<string, unknown>);
  return Object.fromEntries(
    sections
      .filter(([name]) => name === "certificates" || name === "cmux")
      .map(([name, section]) => [name, JSON.stringify(section)]),
  );
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
    const allowed = issue.params?.allowed as string;
    return [{ ...place, key, value: text, problem: issue.message, allowed }];
  }
  const input = path.reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], value);
  const wanted = issue.code === "invalid_type" && issue.expected === "array" ? "a list" : "a map";
  return [{ ...place, key, value: text, problem: kindOfValue(input), allowed: wanted }];
}

function assemble(
  parsed: z.output<typeof fileSchema>,
  at: (path: string) => string,
): Omit<FileConfig, "file" | "written" | "named"> {
  const { certificates = [], log = {}, defaults = {}, routes: list, cmux, ...flags } =
    parsed as FileSections;
  const routes = list ?? [];
  const texts: Record<string, string> = {};
  for (const [name, text] of Object.entries(flags as Record<string, string | undefined>)) {
    if (text === undefined) continue;
    texts[name] = TOP_KINDS[name].placeholder === "file" && text !== "" ? at(text) : text;
  }
  if (log.level !== undefined) texts["log-level"] = log.level;
  if (log.format !== undefined) texts["log-format"] = log.format;
  const names = namesOf(routes);
  const config = cmux === undefined ? null : cmuxConfig(cmux);
  return {
    flags: texts,
    certificates: certificates.map(({ cert, key }) => ({ certFile: at(cert), keyFile: at(key) })),
    routes: routes.map((route, i) => {
      const made = routeConfig(route, { name: names[i], defaults });
      const { backendCaFile: ca } = made;
      return { ...made, backendCaFile: ca === null ? null : at(ca) };
    }),
    hasRoutes: list !== undefined,
    cmux: config && { ...config, mapFile: config.mapFile === null ? null : at(config.mapFile) },
  };
}

/** Those that are given, and for the others one that tells what they take. */
function namesOf(routes: NonNullable<FileSections["routes"]>): string[] {
  const taken = new Set(routes.flatMap(({ name }) => name ?? []));
  return routes.map((route) => {
    if (route.name !== undefined) return route.name;
    const derived = derivedName(route);
    let name = derived;
    for (let i = 2; taken.has(name); i++) name = `${derived}#${i}`;
    taken.add(name);
    return name;
  });
}

/**
 * The environment with what a file says for all that the environment does not: a flag goes before
 * both.
 */
export function withFile(config: Pick<FileConfig, "flags">, env: Environment): Environment {
  const merged: Record<string, string | undefined> = { ...env };
  for (const [name, text] of Object.entries(config.flags)) {
    const own = env[envName(name)];
    // As for a flag: an empty variable is none, but for those that may be empty.
    if (own === undefined || (own === "" && !TOP_KINDS[name].takesEmpty)) {
      merged[envName(name)] = text;
    }
  }
  return merged;
}
