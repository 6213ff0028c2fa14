// A connection of Deno's always ends by FIN, even where SO_LINGER is 0: it is shut down before it is
// closed. Linux resets one that is connected to nowhere (connect(2): AF_UNSPEC dissolves the
// association), which takes its descriptor and a call of the C library. Where anything of that is
// missing (another system, no --allow-ffi, a later Deno) node:net serves: see raw_tcp.ts. The
// descriptor is internal API, which tests/net/raw_tcp_test.ts pins. By it Linux also says what became
// of a connection that nobody reads (socket(7): SO_ERROR).
import process from "node:process";
import { internalNumber } from "./ops.ts";

interface System {
  connect(fd: number, address: Uint8Array<ArrayBuffer>, length: number): number;
  close(fd: number): number;
  getsockopt(
    ...option: [
      fd: number,
      level: number,
      name: number,
      value: Int32Array<ArrayBuffer>,
      length: Uint32Array<ArrayBuffer>,
    ]
  ): number;
}

/** node:net's own socket: what of it is needed to learn a descriptor. */
interface Handle {
  openFromRid(rid: number): number;
  /** A copy of the descriptor, the caller's own. */
  fdForIpc(): number;
  close(): void;
}

const AF_UNSPEC_ADDRESS = new Uint8Array(16);
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const socketError = new Int32Array(1);
const socketErrorLength = new Uint32Array(1);

const system = findSystem();
const NodeHandle = findHandle();

/** Whether `resetterOf` can do it here. */
export const canReset: boolean = system !== null && NodeHandle !== null;

function findSystem(): System | null {
  if (Deno.build.os !== "linux") return null;
  try {
    // Not asked for: a prompt would come as a surprise.
    if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
    return Deno.dlopen("libc.so.6", {
      connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
      close: { parameters: ["i32"], result: "i32" },
      getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
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

/** Ends one connection by RST. */
export interface Resetter {
  /** Sends RST at once and drops what was not sent. The connection has to be closed all the same. */
  reset(): void;
  /** Whether it has failed, and nobody was told of it yet: nobody else is from now on. */
  isLost(): boolean;
  /** Lets go of what was held for it. */
  close(): void;
}

/**
 * What can reset this connection; `null` where nothing can. Not to be asked for under a write: then
 * there is no way to the descriptor.
 */
export function resetterOf(conn: Deno.Conn): Resetter | null {
  if (system === null || NodeHandle === null) return null;
  // Those that were accepted tell it.
  const fd = internalNumber(conn, "Deno.internal.fd");
  if (fd !== null) return { reset: () => reset(fd), isLost: () => isLost(fd), close: () => {} };
  const rid = internalNumber(conn, "Deno.internal.rid");
  const copy = rid === null ? null : copyOf(rid, NodeHandle);
  if (copy === null) return null;
  return {
    reset: () => reset(copy),
    isLost: () => isLost(copy),
    close: () => void system.close(copy),
  };
}

function reset(fd: number): void {
  system!.connect(fd, AF_UNSPEC_ADDRESS, AF_UNSPEC_ADDRESS.length);
}

function isLost(fd: number): boolean {
  socketErrorLength[0] = socketError.byteLength;
  const told = system!.getsockopt(fd, SOL_SOCKET, SO_ERROR, socketError, socketErrorLength);
  return told === 0 && socketError[0] !== 0;
}

function copyOf(rid: number, Handle: new (type: number) => Handle): number | null {
  const handle = new Handle(0);
  try {
    return handle.openFromRid(rid) === 0 ? handle.fdForIpc() : null;
  } finally {
    handle.close();
  }
}
