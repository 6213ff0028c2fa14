// The files that a configuration file names, and where it does.
import type { Place } from "./file_fault.ts";
import type { Path, YamlFile } from "./file_yaml.ts";

/** What a file must hold: certificates to trust are `ca`, a table of ports is `ports`, the users of a gateway `users`. */
export type NamedKind = "cert" | "key" | "ca" | "ports" | "users";

/** One file that is named, at the place of its name. */
export interface NamedFile extends Place {
  readonly kind: NamedKind;
  /** Where it is. */
  readonly path: string;
  /** `certificates[0].key` */
  readonly key: string;
  /** As it is written. */
  readonly value: string;
}

/** All that are named, in no order. */
export interface NamedFiles {
  /** A certificate and its key, where both are in the file; else the one that is. */
  readonly pairs: readonly { readonly cert: NamedFile | null; readonly key: NamedFile | null }[];
  readonly cas: readonly NamedFile[];
  readonly ports: NamedFile | null;
  readonly users: NamedFile | null;
}

/** @param at where a path of the file leads to */
export function namedFiles(yaml: YamlFile, at: (path: string) => string): NamedFiles {
  const named = (kind: NamedKind, ...path: Path): NamedFile | null => {
    const { key, value: place, text } = yaml.find(path);
    // Empty is none.
    return text ? { ...place, kind, path: at(text), key, value: text } : null;
  };
  const top = yaml.value as Readonly<Record<string, unknown>> | null;
  const indices = (name: string) => [...(top?.[name] as unknown[] | undefined ?? []).keys()];
  const pairOf = (...path: Path) => ({
    cert: named("cert", ...path, "cert"),
    key: named("key", ...path, "key"),
  });
  const ofGateway = {
    cert: named("cert", "gateway", "tls_cert"),
    key: named("key", "gateway", "tls_key"),
  };
  const cas = [
    named("ca", "client-ca"),
    named("ca", "backend-ca"),
    named("ca", "defaults", "backend-ca"),
    ...indices("routes").map((i) => named("ca", "routes", i, "backend-ca")),
    named("ca", "gateway", "client_ca"),
    named("ca", "gateway", "cluster_ca"),
    named("ca", "client", "gateway_tls_cert"),
  ];
  return {
    pairs: [pairOf(), ...indices("certificates").map((i) => pairOf("certificates", i)), ofGateway],
    cas: cas.filter((ca) => ca !== null),
    ports: named("ports", "cmux", "map-file"),
    users: named("users", "gateway", "users_file"),
  };
}
