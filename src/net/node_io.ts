// The two ways to the bytes of a socket of node:tls: its handle, or the streams around it. The
// streams take a fifth of the CPU of a small message, and a buffer of their own for each chunk; but
// only they are public. The handle is internal API, which tests/net/node_io_test.ts pins; wherever
// a part of it is missing the streams serve.
import type * as tls from "node:tls";
import { getSystemErrorName } from "node:util";
import { NetError, toNetError } from "./error.ts";

/** How the bytes of a socket come and go. One write at a time. */
export interface NodeIo {
  /** `done` is called once; not at all where the socket closes before. */
  write(bytes: Uint8Array, done: (error: NetError | null) => void): void;
}

/** Takes bytes that are there until it returns. */
export type Came = (bytes: Uint8Array) => void;

/** What of a handle is needed. */
interface TlsHandle {
  readStop(): void;
  readStart(): void;
  useUserBuffer(buffer: Uint8Array): void;
  /** 0, or the negative number of an error; then `oncomplete` is not called. */
  writeBuffer(request: { oncomplete(status: number): void }, bytes: Uint8Array): number;
}

const METHODS = ["readStop", "readStart", "useUserBuffer", "writeBuffer"] as const;

/** All sockets read into this one, and each chunk is taken out of it before the next comes. */
const SHARED_BYTES = 64 * 1024;
let shared: Uint8Array | undefined;

/** The bytes of `socket`, by its handle if `direct` and there is one. */
export function nodeIo(socket: tls.TLSSocket, came: Came, direct = true): NodeIo {
  return (direct ? handleIo(socket, came) : null) ?? new StreamIo(socket, came);
}

/** Whether `io` goes by the handle. */
export function isDirect(io: NodeIo): boolean {
  return io instanceof HandleIo;
}

/** `null` where the handle is not as it is known. */
function handleIo(socket: tls.TLSSocket, came: Came): NodeIo | null {
  const handle = (socket as unknown as { _handle?: TlsHandle })._handle;
  if (!handle || METHODS.some((name) => typeof handle[name] !== "function")) return null;
  const symbols = Object.getOwnPropertySymbols(socket);
  const bufferKey = symbols.find(({ description }) => description === "kBuffer");
  const callbackKey = symbols.find(({ description }) => description === "kBufferCb");
  if (bufferKey === undefined || callbackKey === undefined) return null;
  shared ??= new Uint8Array(SHARED_BYTES);
  Object.assign(socket, {
    [bufferKey]: shared,
    [callbackKey]: (count: number, buffer: Uint8Array) => {
      came(buffer.subarray(0, count));
      return true;
    },
  });
  handle.useUserBuffer(shared);
  // What came before goes by the stream, as does the end, which needs it to flow.
  socket.on("data", came);
  handle.readStop();
  handle.readStart();
  return new HandleIo(handle);
}

class HandleIo implements NodeIo {
  readonly #handle: TlsHandle;

  constructor(handle: TlsHandle) {
    this.#handle = handle;
  }

  write(bytes: Uint8Array, done: (error: NetError | null) => void): void {
    const oncomplete = (status: number) => done(status === 0 ? null : writeError(status));
    const status = this.#handle.writeBuffer({ oncomplete }, bytes);
    if (status !== 0) done(writeError(status));
  }
}

class StreamIo implements NodeIo {
  readonly #socket: tls.TLSSocket;

  constructor(socket: tls.TLSSocket, came: Came) {
    this.#socket = socket;
    socket.on("data", came);
  }

  write(bytes: Uint8Array, done: (error: NetError | null) => void): void {
    this.#socket.write(bytes, (error) => done(error ? toNetError(error) : null));
  }
}

function writeError(status: number): NetError {
  const code = getSystemErrorName(status);
  return toNetError(Object.assign(new Error(`write ${code}`), { code }));
}
