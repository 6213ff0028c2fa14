import type { ByteStream } from "./byte_stream.ts";

/** A stream of which something was read already: that comes first, once more. */
export function unread(stream: ByteStream, bytes: Uint8Array): ByteStream {
  // No chunk is empty: who reads one takes it for the beginning of something.
  if (bytes.length === 0) return stream;
  const { headroom } = stream;
  let first: Uint8Array | null = new Uint8Array(headroom + bytes.length).subarray(headroom);
  first.set(bytes);
  return {
    headroom,
    read() {
      const chunk = first;
      if (chunk === null) return stream.read();
      first = null;
      return Promise.resolve(chunk);
    },
    write: (bytes, headroom) => stream.write(bytes, headroom),
    closeWrite: () => stream.closeWrite(),
    unsent: () => stream.unsent?.() ?? Promise.resolve(null),
    abort: (reason) => stream.abort(reason),
  };
}
