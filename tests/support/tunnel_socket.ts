import type { Readable, Writable } from "node:stream";
import { within } from "./within.ts";

const ENDS = ["readable", "end", "error", "close"] as const;

/**
 * Reads a stream of Node's as an `Inbox` wants it, and nothing before it is asked for. `broken`
 * says whether what looks like its end is none.
 */
export function chunksOf(
  stream: Readable,
  broken: () => boolean = () => false,
): () => Promise<Uint8Array | null> {
  return () =>
    new Promise((resolve, reject) => {
      const settle = () => {
        const chunk: Uint8Array | null = stream.read();
        const over = stream.readableEnded || stream.destroyed || stream.errored !== null;
        if (chunk === null && !over) return;
        for (const name of ENDS) stream.off(name, settle);
        if (chunk !== null) resolve(new Uint8Array(chunk));
        else if (stream.readableEnded && !broken()) resolve(null);
        else reject(stream.errored ?? new Error("It was broken off"));
      };
      for (const name of ENDS) stream.on(name, settle);
      settle();
    });
}

/** Resolves when it was handed over. */
export function writeTo(stream: Writable, bytes: Uint8Array): Promise<void> {
  return within(
    "room for a write to the proxy",
    new Promise((resolve, reject) =>
      stream.write(bytes, (error) => error ? reject(error) : resolve())
    ),
  );
}

/** Resolves when FIN was handed over. */
export function endOf(stream: Writable): Promise<void> {
  return within("the end of a way", new Promise((resolve) => stream.end(() => resolve())));
}
