import { Buffer } from "node:buffer";

/** Where messages go; a write resolves when there is room for the next. */
export interface Output {
  write(data: string | Uint8Array): Promise<void>;
  /** Resolves when nobody reads any more. */
  readonly gone: Promise<void>;
}

/** A file of the process, such as its stdout. */
export function fileOutput(file: { write(bytes: Uint8Array): Promise<number> }): Output {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  let isGone = false;
  let last: Promise<void> = Promise.resolve();
  const writeAll = async (data: string | Uint8Array) => {
    let bytes = typeof data === "string" ? Buffer.from(data) : data;
    try {
      while (bytes.length > 0 && !isGone) bytes = bytes.subarray(await file.write(bytes));
    } catch {
      // EPIPE: `h3ws connect ... | head -1`.
      isGone = true;
      resolve();
    }
  };
  return {
    gone,
    write: (data) => last = last.then(() => writeAll(data)),
  };
}
