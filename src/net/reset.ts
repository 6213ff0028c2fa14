// A connection of Deno's always ends by FIN, even where SO_LINGER is 0: it is shut down before it is
// closed. Linux resets one that is connected to nowhere (connect(2): AF_UNSPEC dissolves the
// association), which takes its descriptor and a call of the C library. Where anything of that is
// missing (another system, no --allow-ffi, a later Deno) node:net serves: see raw_tcp.ts. The
// descriptor is internal API, which tests/net/raw_tcp_test.ts pins.
import process from "node:process";

interface System {
  connect(fd: number, address: Uint8Array<ArrayBuffer>, length: number): number;
  close(fd: number): number;
}

/** node:net's own socket: what of it is needed to learn a descriptor. */
interface Handle {
  openFromRid(rid: number): number;
  /** A copy of the descriptor, the caller's own. */
  fdForIpc(): number;
  close(): void;
}

const AF_UNSPEC_ADDRESS = new Uint8Array(16);

const system = findSystem();
const NodeHandle = findHandle();

/** Whether `resetConn` can do it here. */
export const canReset: boolean = system !== null && NodeHandle !== null;

function findSystem(): System | null {
  if (Deno.build.os !== "linux") return null;
  try {
    // Not asked for: a prompt would come as a surprise.
    if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
    return Deno.dlopen("libc.so.6", {
      connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
      close: { parameters: ["i32"], result: "i32" },
    }).symbols;
  } catch {
    return null;
  }
}

function findHandle(): (new (type: number) => Handle) | null {
  try {
    const binding = (process as unknown as { binding(name: string): { TCP?: unknown } })
      .binding("tcp_wrap");
    const { TCP } = binding;
    if (typeof TCP !== "function") return null;
    const methods = ["openFromRid", "fdForIpc", "close"];
    if (methods.some((name) => typeof TCP.prototype[name] !== "function")) return null;
    return TCP as new (type: number) => Handle;
  } catch {
    return null;
  }
}

/** Sends RST at once and drops what was not sent. The connection has to be closed all the same. */
export function resetConn(conn: Deno.Conn): void {
  if (system === null || NodeHandle === null) return;
  const rid = ofConn(conn, "Deno.internal.rid");
  if (rid === null) return;
  const handle = new NodeHandle(0);
  try {
    if (handle.openFromRid(rid) !== 0) return;
    const fd = handle.fdForIpc();
    system.connect(fd, AF_UNSPEC_ADDRESS, AF_UNSPEC_ADDRESS.length);
    system.close(fd);
  } finally {
    handle.close();
  }
}

function ofConn(conn: object, name: string): number | null {
  const symbol = Object.getOwnPropertySymbols(conn).find(({ description }) => description === name);
  const value = symbol === undefined ? undefined : (conn as Record<symbol, unknown>)[symbol];
  return typeof value === "number" ? value : null;
}
