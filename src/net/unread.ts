import type { ByteStream } from "./byte_stream.ts";

/** A stream of which something was read already: that comes first, once more. */
export function unread(stream: ByteStream, bytes: Uint8Array): ByteStream {
  // No chunk is empty: who reads one takes it for the beginning of something.
  if (bytes.length === 0) return stream;
  const { headroom } = stream;
  const first = new Uint8Array(headroom + bytes.length).subarray(headroom);
  first.set(bytes);
  return behind(Promise.resolve(first), stream);
}

/**
 * Reads once before anybody asks for it: `first`, which is what the stream given back begins with,
 * tells meanwhile whether the peer is there. Nobody else reads the other stream from now on.
 */
export function readAhead(
  stream: ByteStream,
): { stream: ByteStream; first: Promise<Uint8Array | null> } {
  const first = stream.read();
  // Who reads hears of it.
  first.catch(() => {});
  return { stream: behind(first, stream), first };
}

function behind(early: Promise<Uint8Array | null>, stream: ByteStream): ByteStream {
  let first: Promise<Uint8Array | null> | null = early;
  return {
    headroom: stream.headroom,
    read() {
      const chunk = first;
      if (chunk === null) return stream.read();
      first = null;
      return chunk;
    },
    write: (bytes, headroom) => stream.write(bytes, headroom),
    closeWrite: () => stream.closeWrite(),
    isLost: () => stream.isLost?.() ?? false,
    unsent: () => stream.unsent?.() ?? Promise.resolve(null),
    abort: (reason) => stream.abort(reason),
  };
}
