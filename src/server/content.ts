// Content as the platform streams it, and as the doors do.
import { setImmediate } from "node:timers";
import type { Body, Content } from "../ingress/offer.ts";

/** A request's content, read as it is asked for; `onBroken` is told when it breaks off. */
export function toStream(
  content: Content,
  onBroken: (error: unknown) => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const part = await content.read();
        // What a door gives is valid up to the next read alone.
        if (part === null) controller.close();
        else controller.enqueue(part.slice());
      } catch (error) {
        onBroken(error);
        controller.error(error);
      }
    },
    cancel: () => content.cancel(),
  }, { highWaterMark: 0 });
}

/**
 * What a door sends of an answer's body: whole where all of it is there, so that its length is known
 * beforehand; else as it comes. `declared` is the answer's own Content-Length, which it must keep.
 * It is cancelled when `signal` fires.
 */
export async function toBody(
  stream: ReadableStream<Uint8Array>,
  { declared, signal }: { declared: number | null; signal: AbortSignal },
): Promise<Body> {
  const reader = stream.getReader();
  signal.addEventListener("abort", () => void reader.cancel(signal.reason).catch(() => {}), {
    once: true,
  });
  // The head must not wait for content that comes some day.
  const first = reader.read();
  const begin = await soon(first);
  if (begin === null) return new StreamedBody(reader, { ahead: [first], declared });
  if (begin.done) return new Uint8Array(0);
  const second = reader.read();
  const end = await soon(second);
  if (end?.done) return checked(begin.value);
  return new StreamedBody(reader, { ahead: [first, second], declared });
}

type Part = ReadableStreamReadResult<Uint8Array>;

/** What is there within one turn of the event loop; `null` for later, or never. */
function soon(part: Promise<Part>): Promise<Part | null> {
  // Whoever reads on is told of what it rejects with.
  part.catch(() => {});
  const turn = new Promise<null>((resolve) => setImmediate(() => resolve(null)));
  return Promise.race([part, turn]);
}

/** Rejects where the stream breaks, or gives more or less than was declared: both must show. */
class StreamedBody implements Content {
  readonly length: number | null;
  readonly trailers = [];
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #ahead: Promise<Part>[];
  #read = 0;

  constructor(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    { ahead, declared }: { ahead: Promise<Part>[]; declared: number | null },
  ) {
    this.#reader = reader;
    this.#ahead = ahead;
    this.length = declared;
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const part = await (this.#ahead.shift() ?? this.#reader.read());
      if (part.done) {
        if (this.length !== null && this.#read < this.length) throw this.#wrong("less");
        return null;
      }
      const bytes = checked(part.value);
      this.#read += bytes.length;
      if (this.length !== null && this.#read > this.length) throw this.#wrong("more");
      if (bytes.length > 0) return bytes;
    }
  }

  #wrong(than: "less" | "more"): Error {
    return new TypeError(
      `The body has ${than} than the ${this.length} bytes of its Content-Length`,
    );
  }

  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }
}

function checked(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("A body's stream gave something other than a Uint8Array");
}
