import { NetError } from "../net/error.ts";
import type { QuicConnection } from "../net/quic.ts";
import type { QuicReceiveStream, QuicSendStream } from "../net/quic_stream.ts";
import { H3Code, H3Error } from "../protocol/http3/codes.ts";
import { ConnectionState } from "../protocol/http3/connection.ts";
import { encodeFrame, FrameType } from "../protocol/http3/frame.ts";
import { encodeSettings, greaseSettings, type Settings } from "../protocol/http3/settings.ts";
import {
  type UniStreamEvent,
  UniStreamParser,
  UniStreamType,
} from "../protocol/http3/uni_stream.ts";
import { varintSize, writeVarint } from "../protocol/wire/varint.ts";

export interface H3ControlOptions {
  role: "server" | "client";
  /** Told after the state has taken note of it. */
  onEvent?: (event: UniStreamEvent) => void;
  /** A rule was broken, or we have a bug: `error` says which. */
  onError: (error: unknown) => void;
}

/**
 * RFC 9114 §5.2: a server first says 2^62-4, the largest client-initiated bidirectional stream ID.
 * This is one below that a number holds exactly, as it holds the one behind it.
 */
const GOAWAY_ALL = 2 ** 53 - 8;

/** The one-way streams of an HTTP/3 connection: our control stream and all of the peer's. */
export class H3Control {
  readonly state: ConnectionState;
  readonly #quic: QuicConnection;
  readonly #options: H3ControlOptions;
  /** Held as long as the connection lives: collected, it would be a FIN. */
  #stream: QuicSendStream | null = null;
  #uniStreams = 0;

  constructor(quic: QuicConnection, options: H3ControlOptions) {
    this.#quic = quic;
    this.#options = options;
    this.state = new ConnectionState(options.role);
  }

  /** How many one-way streams the peer has opened. */
  get uniStreams(): number {
    return this.#uniStreams;
  }

  /**
   * RFC 9114 §6.2.1: SETTINGS go out first, as soon as the transport is ready to send. Throws
   * `NetError` when the connection is lost.
   */
  async open(settings: Partial<Settings>): Promise<void> {
    await this.#begin(await this.#quic.openUniStream(), settings);
  }

  /** The same at once, while the handshake goes on; gives `false` where it can't be yet. */
  async tryOpen(settings: Partial<Settings>): Promise<boolean> {
    const stream = await this.#quic.tryOpenUniStream();
    if (stream !== null) await this.#begin(stream, settings);
    return stream !== null;
  }

  async #begin(stream: QuicSendStream, settings: Partial<Settings>): Promise<void> {
    // RFC 9114 §7.2.4.1: one setting SHOULD mean nothing, so that peers stay used to such.
    const unknown = greaseSettings(crypto.getRandomValues(new Uint32Array(1))[0]);
    const frame = encodeFrame(FrameType.SETTINGS, encodeSettings({ ...settings, unknown }));
    const bytes = new Uint8Array(varintSize(UniStreamType.CONTROL) + frame.length);
    bytes.set(frame, writeVarint(bytes, 0, UniStreamType.CONTROL));
    this.#stream = stream;
    await this.#write(bytes);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#stream?.write(bytes);
    } catch (error) {
      // RFC 9114 §6.2.1: a peer MUST NOT ask for the control stream's end. Deno tells of it with a
      // write alone, and on this stream there are few.
      if (error instanceof NetError && error.kind === "stopped") {
        const message = "Peer stopped our control stream";
        const { H3_CLOSED_CRITICAL_STREAM } = H3Code;
        this.#options.onError(new H3Error(H3_CLOSED_CRITICAL_STREAM, "connection", message));
      }
      throw error;
    }
  }

  /** Reads the peer's one-way streams until the connection is over. */
  async accept(): Promise<void> {
    for (;;) {
      const stream = await this.#quic.acceptUniStream();
      if (stream === null) return;
      this.#uniStreams++;
      void this.#read(stream);
    }
  }

  async #read(stream: QuicReceiveStream): Promise<void> {
    const parser = new UniStreamParser(this.state);
    try {
      for (;;) {
        const chunk = await readOrGone(stream);
        if (chunk === undefined) return;
        if (chunk === null) return parser.end();
        parser.push(chunk);
        for (let event = parser.next(); event !== null; event = parser.next()) {
          // RFC 9114 §6.2: what an unknown stream carries is not read.
          if (event.type === "ignore") return stream.stopReading();
          this.#options.onEvent?.(event);
        }
      }
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** RFC 9114 §5.2: says first what is coming, then that `lastId` was the last that was taken. */
  async goaway(lastId: number | null): Promise<void> {
    try {
      await this.#write(goawayFrame(this.state.goaway(GOAWAY_ALL)));
      await this.#write(goawayFrame(this.state.goaway(lastId)));
    } catch {
      // The connection is gone already.
    }
  }

  /** Lets go of what is held for a connection that is over. */
  release(): void {
    this.#stream = null;
  }
}

/**
 * RFC 9114 §6.2.1: a critical stream that is reset is closed just as one that ends (`null`).
 * `undefined` when the whole connection is gone.
 */
async function readOrGone(stream: QuicReceiveStream): Promise<Uint8Array | null | undefined> {
  try {
    return await stream.read();
  } catch (error) {
    return error instanceof NetError && error.kind === "reset" ? null : undefined;
  }
}

function goawayFrame(id: number): Uint8Array {
  const payload = new Uint8Array(varintSize(id));
  writeVarint(payload, 0, id);
  return encodeFrame(FrameType.GOAWAY, payload);
}
