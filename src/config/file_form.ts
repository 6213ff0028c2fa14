// What no single value can tell: what must stand together, and what must not.
import { tunnelFaults } from "./file_tunnel.ts";
import type { Path } from "./file_yaml.ts";

/** Something that is wrong with what stands together in a file. */
export interface FormFault {
  /** What it is told at; the nearest thing above it where that is not there. */
  readonly path: Path;
  readonly problem: string;
  readonly allowed?: string;
}

type Section = Readonly<Record<string, unknown>>;

/**
 * Faults of a whole file, as it was written. Looks at no value but for who connects to a backend,
 * for values are looked at alone: so all that is wrong is told at once.
 */
export function formFaults(file: unknown): FormFault[] {
  const top = mapOf(file);
  const faults: FormFault[] = [];
  const log = mapOf(top.log);
  for (const word of ["level", "format"]) {
    if (log[word] === undefined || top[`log-${word}`] === undefined) continue;
    faults.push({ path: ["log", word], problem: `stands at the top already, as log-${word}` });
  }
  if (top.certificates !== undefined) {
    for (const name of ["cert", "key"]) {
      if (top[name] === undefined) continue;
      faults.push({ path: [name], problem: "can't stand beside certificates" });
    }
  }
  if (top.routes !== undefined && top.path !== undefined) {
    faults.push({ path: ["path"], problem: "can't stand beside routes, which have their own" });
  }
  return [...faults, ...routesFaults(top), ...agentFaults(top), ...tunnelFaults(top)];
}

const BEHIND_AGENTS = /^agent(?:\+tls)?:/i;

/** The gateway that agents connect to is the one of the same file. */
function agentFaults(top: Section): FormFault[] {
  if (top.gateway !== undefined) return [];
  const paths: Path[] = [
    ["backend"],
    ...listOf(top.routes).flatMap((input, i): Path[] => {
      const { backends } = mapOf(input);
      const indices = [...listOf(backends).keys()];
      const several = indices.map((n) => ["routes", i, "backends", n]);
      return [["routes", i, "backend"], ["routes", i, "backends"], ...several];
    }),
  ];
  return paths.filter((path) => {
    const value = path.reduce<unknown>((at, part) => (at as Section)?.[part], top);
    return typeof value === "string" && BEHIND_AGENTS.test(value);
  }).map((path) => ({
    path,
    problem: "is behind agents, and there is no gateway for them",
    allowed: "a section gateway in the file, which h3ws proxy then is, too",
  }));
}

function routesFaults(top: Section): FormFault[] {
  const names = new Map<unknown, number>();
  const matches = new Map<string, number>();
  return listOf(top.routes).flatMap((input, i) => {
    const route = mapOf(input);
    const faults = routeFaults(route, top.backend !== undefined)
      .map(({ path, ...fault }) => ({ path: ["routes", i, ...path], ...fault }));
    const before = names.get(route.name);
    if (route.name !== undefined && before !== undefined) {
      const problem = `is the name of routes[${before}] already`;
      faults.push({ path: ["routes", i, "name"], problem });
    }
    if (before === undefined) names.set(route.name, i);
    if (route.enabled === false) return faults;
    const match = JSON.stringify(route.match ?? {});
    const same = matches.get(match);
    if (same === undefined) matches.set(match, i);
    else {
      const problem = `takes what routes[${same}] takes before it: it would never have a request`;
      faults.push({ path: ["routes", i], problem });
    }
    return faults;
  });
}

function routeFaults(route: Section, hasFallback: boolean): FormFault[] {
  const faults: FormFault[] = [];
  const match = mapOf(route.match);
  const { backend, backends } = route;
  if (backend !== undefined && backends !== undefined) {
    faults.push({ path: ["backends"], problem: "can't stand beside backend" });
  }
  if (backend === undefined && backends === undefined && !hasFallback) {
    const allowed = "backend or backends in the route, or one backend for all at the top";
    faults.push({ path: [], problem: "has no backend", allowed });
  }
  if (Array.isArray(backends)) {
    if (backends.length === 0) faults.push({ path: ["backends"], problem: "is an empty list" });
    backends.forEach((one, i) => {
      const first = backends.indexOf(one);
      if (first === i) return;
      faults.push({ path: ["backends", i], problem: `is the same as backends[${first}]` });
    });
  }
  if (match.path !== undefined && match.prefix !== undefined) {
    faults.push({ path: ["match", "prefix"], problem: "can't stand beside path" });
  }
  if (match.strip !== undefined && match.prefix === undefined) {
    faults.push({ path: ["match", "strip"], problem: "is for a prefix, and there is none" });
  }
  return faults;
}

function mapOf(input: unknown): Section {
  return typeof input === "object" && input !== null && !Array.isArray(input)
    ? input as Section
    : {};
}

function listOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [];
}
