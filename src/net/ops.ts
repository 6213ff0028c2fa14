// Deno's own calls below its classes, where there are any by these names: they cost less than the
// classes, but only those are public.

/** Those that move bytes, by the id of a resource. */
export interface Ops {
  /** 0 at the end. */
  read(rid: number, buffer: Uint8Array): Promise<number>;
  writeAll(rid: number, bytes: Uint8Array): Promise<void>;
  tryClose(rid: number): void;
}

/** `null` where one of them is missing. */
export const OPS: Ops | null = findOps();

function findOps(): Ops | null {
  try {
    const deno = Deno as unknown as Record<PropertyKey, PropertyKey>;
    const internals = deno[deno.internal] as unknown as { core?: Ops } | undefined;
    const core = internals?.core;
    const names = ["read", "writeAll", "tryClose"] as const;
    return core && names.every((name) => typeof core[name] === "function") ? core : null;
  } catch {
    return null;
  }
}

/** What Deno calls them by, once they were seen. */
const symbols = new Map<string, symbol>();

/** A number that Deno keeps in a connection of its own under `name`; `null` where it does not. */
export function internalNumber(conn: object, name: string): number | null {
  const symbol = symbols.get(name) ??
    Object.getOwnPropertySymbols(conn).find(({ description }) => description === name);
  if (symbol === undefined) return null;
  symbols.set(name, symbol);
  const value = (conn as Record<symbol, unknown>)[symbol];
  return typeof value === "number" ? value : null;
}
