// Routes as a configuration file has them, before backends that say who they are.
import { parseConfig, withFile } from "../../src/config/file.ts";
import { routesOf } from "../../src/config/file_targets.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import type { Route } from "../../src/proxy/route.ts";
import { NamedBackend, type NamedOptions } from "./named_backend.ts";
import { type NamedDoors, withNamedDoors } from "./named_doors.ts";

/** Backends by their names. */
export class NamedBackends implements AsyncDisposable {
  readonly #all = new Map<string, NamedBackend>();

  static async listen(names: readonly string[], options: NamedOptions = {}) {
    const backends = new NamedBackends();
    for (const name of names) backends.#all.set(name, await NamedBackend.listen(name, options));
    return backends;
  }

  get(name: string): NamedBackend {
    const backend = this.#all.get(name);
    if (backend === undefined) throw new Error(`There is no backend ${name}`);
    return backend;
  }

  /** The routes of a file in which `$name` stands for the address of a backend. */
  routes(text: string): Route[] {
    return routesFrom(text.replace(/\$(\w+)/g, (_, name) => `127.0.0.1:${this.get(name).port}`));
  }

  /** Breaks every connection to any of them off. */
  drop(): void {
    for (const backend of this.#all.values()) backend.drop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const backend of this.#all.values()) await backend.close();
  }
}

/** The routes of a file's text. */
export function routesFrom(text: string): Route[] {
  const file = parseConfig(text, { file: "h3ws.yaml" });
  return routesOf(file, readProxyConfig({}, withFile(file, {})), new Map());
}

/** Runs `body` with the routes of a file's text; `$name` in it stands for a backend of that name. */
export async function withRoutes(
  text: string,
  body: (doors: NamedDoors & { backends: NamedBackends }) => Promise<void>,
): Promise<void> {
  const names = new Set([...text.matchAll(/\$(\w+)/g)].map(([, name]) => name));
  await using backends = await NamedBackends.listen([...names]);
  await withNamedDoors({ routes: backends.routes(text) }, async (doors) => {
    await body({ ...doors, backends });
    await doors.peers.close();
    backends.drop();
  });
}
