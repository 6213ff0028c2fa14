import { networkInterfaces } from "node:os";

/** Interfaces come and go: they are looked up again after so long. */
const KEPT_MS = 10_000;

/**
 * Gives the addresses of this machine's interfaces as the system writes them, IPv6 without its zone;
 * none where it may not be asked.
 */
export function ownAddresses(list: typeof networkInterfaces = networkInterfaces) {
  let known: ReadonlySet<string> = new Set();
  let untilMs = -Infinity;
  return (): ReadonlySet<string> => {
    const nowMs = performance.now();
    if (nowMs < untilMs) return known;
    untilMs = nowMs + KEPT_MS;
    known = new Set(isAllowed() ? addressesIn(list()) : []);
    return known;
  };
}

function addressesIn(interfaces: ReturnType<typeof networkInterfaces>): string[] {
  const all = Object.values(interfaces).flatMap((one) => one ?? []);
  return all.map(({ address }) => address.replace(/%.*$/, ""));
}

/** Without asking whoever sits at the terminal. */
function isAllowed(): boolean {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  return state === "granted";
}
