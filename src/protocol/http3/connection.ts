import { H3Code, H3Error } from "./codes.ts";
import type { Role } from "./frame.ts";
import type { Settings } from "./settings.ts";

/** RFC 9114 §6.2, RFC 9204 §4.2: what a unidirectional stream is for. */
export const UniStreamType = {
  CONTROL: 0x0,
  PUSH: 0x1,
  QPACK_ENCODER: 0x2,
  QPACK_DECODER: 0x3,
} as const;

export type UniStreamType = typeof UniStreamType[keyof typeof UniStreamType];

/** What a peer's unidirectional stream turned out to be. */
export type UniStreamKind = "control" | "encoder" | "decoder" | "unknown";

/** What holds for a connection as a whole: its critical streams, SETTINGS and GOAWAY. */
export class ConnectionState {
  readonly role: Role;
  /** `null` until the peer's SETTINGS came. */
  peerSettings: Settings | null = null;
  /** The ID of the peer's last GOAWAY; `null` until one came. */
  peerGoaway: number | null = null;

  readonly #open = new Set<UniStreamKind>();
  /** The ID of our last GOAWAY. */
  #goaway = Infinity;

  constructor(role: Role) {
    this.role = role;
  }

  /**
   * RFC 9114 §6.2: the peer opened a unidirectional stream of this type.
   *
   * @throws {H3Error} H3_STREAM_CREATION_ERROR or H3_ID_ERROR, of the connection
   */
  openUniStream(type: number): UniStreamKind {
    switch (type) {
      case UniStreamType.CONTROL:
        return this.#openOnce("control");
      case UniStreamType.QPACK_ENCODER:
        return this.#openOnce("encoder");
      case UniStreamType.QPACK_DECODER:
        return this.#openOnce("decoder");
      case UniStreamType.PUSH:
        // RFC 9114 §6.2.2: only servers can push.
        if (this.role === "server") throw creationError("Push stream from a client");
        // RFC 9114 §4.6: a push ID above what MAX_PUSH_ID allowed is H3_ID_ERROR. We allow none.
        throw new H3Error(H3Code.H3_ID_ERROR, "connection", "Push stream was never allowed");
    }
    // RFC 9114 §6.2: streams of unknown type MUST NOT be an error of any kind.
    return "unknown";
  }

  /**
   * The peer closed or reset a unidirectional stream.
   *
   * @throws {H3Error} H3_CLOSED_CRITICAL_STREAM of the connection
   */
  closeUniStream(kind: UniStreamKind): void {
    if (kind === "unknown") return;
    // RFC 9114 §6.2.1, RFC 9204 §4.2: control, encoder and decoder stream MUST NOT be closed.
    throw new H3Error(
      H3Code.H3_CLOSED_CRITICAL_STREAM,
      "connection",
      `Peer closed its ${kind} stream`,
    );
  }

  /**
   * RFC 9114 §5.2: the ID for our next GOAWAY, which never grows. `lastId` is the last request
   * that we serve (as a client: the last push), `null` for none; all behind it are refused.
   */
  goaway(lastId: number | null): number {
    const step = this.role === "server" ? 4 : 1;
    this.#goaway = Math.min(this.#goaway, lastId === null ? 0 : lastId + step);
    return this.#goaway;
  }

  /** RFC 9114 §6.2.1, RFC 9204 §4.2: only one stream of each of these types. */
  #openOnce(kind: UniStreamKind): UniStreamKind {
    if (this.#open.has(kind)) throw creationError(`Second ${kind} stream`);
    this.#open.add(kind);
    return kind;
  }
}

function creationError(message: string): H3Error {
  return new H3Error(H3Code.H3_STREAM_CREATION_ERROR, "connection", message);
}
