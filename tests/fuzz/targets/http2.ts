import { Http2Connection } from "../../../src/protocol/http2/connection.ts";
import type { H2Event } from "../../../src/protocol/http2/events.ts";
import { encodeRequest, encodeResponse } from "../../../src/protocol/http2/fields.ts";
import type { Role } from "../../../src/protocol/http2/frame.ts";
import { FrameParser } from "../../../src/protocol/http2/frame_parser.ts";
import type { Frame } from "../../../src/protocol/http2/frame_event.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import type { Bytes, Run, Target } from "../driver.ts";
import { anyFromClient, anyFromServer, fromClient, fromServer } from "./http2_bytes.ts";

const MAX_HEADER_BYTES = 600;
const MAX_BLOCK_BYTES = 4 * MAX_HEADER_BYTES;

type Told = Frame | H2Event | Run | { type: "end"; streamId: number };

/** Tells END_STREAM of DATA apart from its last bytes, as those depend on cuts. */
class Apart<P extends Parser<Frame> | Parser<H2Event>> implements Parser<Told> {
  readonly inner: P;
  readonly #handle: (event: Frame | H2Event) => void;
  #end: Told | null = null;

  constructor(inner: P, handle: (event: Frame | H2Event) => void = () => {}) {
    this.inner = inner;
    this.#handle = handle;
  }

  get limit(): number {
    return this.inner.limit;
  }

  get buffered(): number {
    return this.inner.buffered;
  }

  push(chunk: Bytes): void {
    this.inner.push(chunk);
  }

  next(): Told | null {
    const end = this.#end;
    this.#end = null;
    if (end !== null) return end;
    const event = this.inner.next();
    if (event !== null) this.#handle(event);
    if (event?.type !== "data") return event;
    const { streamId, bytes, endStream } = event;
    if (endStream) this.#end = { type: "end", streamId };
    if (bytes.length > 0) return { run: `data ${streamId}`, bytes };
    return this.next();
  }

  end(): void {
    this.inner.end();
  }
}

function frameTarget(role: Role): Target {
  return {
    name: `frames at a ${role}`,
    make: () =>
      new Apart(
        new FrameParser({
          role,
          maxFrameBytes: 16384,
          maxBlockBytes: MAX_BLOCK_BYTES,
          maxContinuations: 8,
          // What is not admitted depends on nothing but the frame.
          admitData: ({ dataBytes }) => dataBytes % 7 !== 6,
        }),
      ),
    valid: role === "server" ? fromClient : fromServer,
    beyond: role === "server" ? anyFromClient : anyFromServer,
  };
}

/** An owner that answers each request, and each end, at once; it consumes nothing. */
function answer(connection: Http2Connection): (event: Frame | H2Event) => void {
  return (event) => {
    if (event.type === "request") {
      const section = encodeResponse(200, [["x-id", `${event.streamId}`]]);
      connection.sendHeaders(event.streamId, section, event.streamId % 3 === 0);
    }
    if (event.type === "trailers") connection.sendData(event.streamId, new Uint8Array(5), true);
  };
}

const settings = {
  maxHeaderBytes: MAX_HEADER_BYTES,
  maxConcurrentStreams: 3,
  initialWindowBytes: 300,
};

const GET: Field[] = encodeRequest({
  method: "GET",
  scheme: "https",
  authority: "a.example",
  path: "/",
  protocol: null,
  fields: [],
});

/** What the connection sent so far; it must not depend on cuts either. */
function sent(parser: Parser<unknown>): unknown {
  const { inner } = parser as Apart<Http2Connection>;
  return { output: inner.output().slice(), streams: inner.streams, isDone: inner.isDone };
}

function connectionTarget(role: Role): Target {
  return {
    name: `HTTP/2 connection at a ${role}`,
    make: () => {
      const connection = new Http2Connection({ role, settings });
      if (role === "client") { for (let i = 0; i < 3; i++) connection.openStream(GET, true); }
      return new Apart(connection, answer(connection));
    },
    valid: role === "server" ? fromClient : fromServer,
    beyond: role === "server" ? anyFromClient : anyFromServer,
    state: sent,
  };
}

export const targets: Target[] = [
  frameTarget("server"),
  frameTarget("client"),
  connectionTarget("server"),
  connectionTarget("client"),
];
