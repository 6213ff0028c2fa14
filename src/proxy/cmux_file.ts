import { parsePortTable, type PortLookup, PortLookupError } from "./cmux_ports.ts";

export interface PortFileOptions {
  /** How long nobody looks whether the file has changed. Default 2 s. */
  readonly ttlMs?: number;
  /** The file's text. */
  readonly read: (path: string) => Promise<string>;
  /** The file can't be read or used, told once for each state of it; the last good one stays. */
  readonly onFailed: (path: string, error: unknown) => void;
  /** Makes the table of the file's text. Default JSON. */
  readonly parse?: (text: string) => unknown;
  /** A clock in milliseconds. */
  readonly now?: () => number;
}

const TTL_MS = 2000;

/**
 * Looks ports up in a file as `parsePortTable` takes it. It is read at the first request, and again
 * once it has changed. A file that is gone or broken changes nothing.
 */
export function filePorts(path: string, options: PortFileOptions): PortLookup {
  const { ttlMs = TTL_MS, read, onFailed, parse = JSON.parse, now = () => performance.now() } =
    options;
  let lookup: PortLookup | null = null;
  let seen = "";
  let checkedMs = -Infinity;
  let checking: Promise<void> | null = null;

  async function check(): Promise<void> {
    // Of a file that can't be read, too: else each request would try again.
    let stamp = "none";
    try {
      const { mtime, size, ino } = await Deno.stat(path);
      stamp = `${mtime?.getTime()} ${size} ${ino}`;
      if (stamp === seen) return;
      lookup = parsePortTable(parse(await read(path)));
    } catch (error) {
      if (stamp !== seen) onFailed(path, error);
    } finally {
      seen = stamp;
      checkedMs = now();
      checking = null;
    }
  }

  return async (ask) => {
    if (now() - checkedMs >= ttlMs) await (checking ??= check());
    if (lookup === null) throw new PortLookupError(502, "port lookup failed");
    return lookup(ask);
  };
}
