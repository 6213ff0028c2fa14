// `h3ws.yaml`: what the flags say, and the routes.
import { dirname, isAbsolute, join } from "node:path";
import type { z } from "zod";
import { type CmuxConfig, cmuxConfig } from "./file_cmux.ts";
import type { FileFault } from "./file_fault.ts";
import { formFaults } from "./file_form.ts";
import { type NamedFiles, namedFiles } from "./file_named.ts";
import { decodeFile, readFile } from "./file_read.ts";
import { derivedName, type RouteConfig, routeConfig } from "./file_route.ts";
import { fileSchema, type FileSections, TOP_KINDS } from "./file_schema.ts";
import type { Path } from "./file_yaml.ts";
import { type TunnelTexts, tunnelTexts } from "./file_tunnel.ts";
import { type Environment, envName } from "./flags.ts";
import type { Kind } from "./kinds.ts";

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
  /** What `h3ws gateway` and `h3ws agent` do. */
  readonly tunnel: TunnelTexts;
  /** `certificates` and `cmux` as they are written, in JSON, where they are there. */
  readonly written: Readonly<Record<string, string>>;
  /** The files that it names, each with its place. */
  readonly named: NamedFiles;
  /** Something that is wrong with the value of a path, or with what is nearest above it. */
  readonly faultAt: (path: Path, told: Pick<FileFault, "problem" | "allowed">) => FileFault;
}

/**
 * As `parseConfig` of the text, which is in UTF-8.
 *
 * @throws {ConfigFileError} with all that is wrong in it
 */
export function parseConfigBytes(
  bytes: Uint8Array,
  options: { file: string; env?: Environment },
): FileConfig {
  return parseConfig(decodeFile(bytes, options.file), options);
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
  const { yaml, value, data } = readFile(text, { schema: fileSchema, formFaults }, { file, env });
  const at = pathFrom(file);
  return {
    ...{ file, ...assemble(data, at) },
    ...{ written: writtenOf(value), named: namedFiles(yaml, at) },
    faultAt: (path, told) => {
      const { key, value: place } = yaml.find(path);
      return { file, ...place, key, value: null, ...told };
    },
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

function assemble(
  parsed: z.output<typeof fileSchema>,
  at: (path: string) => string,
): Omit<FileConfig, "file" | "written" | "named" | "faultAt"> {
  const { proxy, gateway, client, ...own } = parsed as FileSections;
  const { certificates = [], log = {}, defaults = {}, routes: list, cmux, ...flags } = own;
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
    tunnel: tunnelTexts({ proxy, gateway, client }, at),
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
export function withFile(
  config: Pick<FileConfig, "flags">,
  env: Environment,
  kinds: Readonly<Record<string, Kind<unknown>>> = TOP_KINDS,
): Environment {
  const merged: Record<string, string | undefined> = { ...env };
  for (const [name, text] of Object.entries(config.flags)) {
    const own = env[envName(name)];
    // As for a flag: an empty variable is none, but for those that may be empty.
    if (own === undefined || (own === "" && !kinds[name].takesEmpty)) {
      merged[envName(name)] = text;
    }
  }
  return merged;
}
