import type { Registry as PromRegistry } from "prom-client";

type Library = typeof import("./prom.ts");

/** Makes one metric, and puts it into the registry. */
type Make = (library: Library, registry: PromRegistry) => void;

/**
 * Metrics that are counted elsewhere, and read at each scrape. So the library that writes them is
 * loaded at the first one: where nobody scrapes, it would take 4 MB for nothing.
 */
export class Registry {
  readonly #makes = new Map<string, Make>();
  #made: PromRegistry | null = null;

  /** @throws {Error} where there is one of that name */
  add(name: string, make: Make): void {
    if (this.#makes.has(name)) throw new Error(`There is a metric ${name} already`);
    if (this.#made !== null) throw new Error(`${name} comes after the first scrape`);
    this.#makes.set(name, make);
  }

  /** All of them, in prom-client's registry. */
  async read(): Promise<PromRegistry> {
    const library = await import("./prom.ts");
    return this.#made ??= this.#make(library);
  }

  #make(library: Library): PromRegistry {
    const registry = new library.Registry();
    for (const make of this.#makes.values()) make(library, registry);
    return registry;
  }

  /** In the text format of Prometheus. */
  async metrics(): Promise<string> {
    return await (await this.read()).metrics();
  }
}
