/** What broke a stream or a connection, told apart once, here, from the texts that Deno gives. */
export type NetErrorKind =
  /** The peer reset the stream, or closed the TCP connection with RST. */
  | "reset"
  /** The peer asked us to stop sending. */
  | "stopped"
  /** The connection under the stream is gone. */
  | "lost"
  /** We ended it ourselves. */
  | "aborted"
  /** Nobody answers at that address. */
  | "refused"
  | "unreachable"
  | "unresolved"
  | "timeout"
  /** Somebody else listens at that address. */
  | "in_use"
  /** There is no free place for one more. */
  | "busy"
  /** The peer's certificate or its TLS was not accepted. */
  | "tls"
  | "other";

/** A stream or a connection that broke, or could not be had. */
export class NetError extends Error {
  /** The name of the class. */
  override name = "NetError";
  /** What broke it; the message is for people. */
  readonly kind: NetErrorKind;

  /** Peers come and go: such an error is an event, and where it was met is not worth a stack. */
  constructor(kind: NetErrorKind, message: string, cause?: unknown) {
    const depth = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(message, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = depth;
    this.kind = kind;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Why `fetch` failed. Deno says it in the cause alone, behind the URL, whose query may be a secret.
 */
export function fetchFailureOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  const found = /: client error \(\w+\): (?:tcp connect error: )?(.+?)(?: \(os error \d+\))?$/
    .exec(messageOf(cause));
  return found?.[1] ?? messageOf(error);
}

const BY_CODE: Record<string, NetErrorKind> = {
  ECONNRESET: "reset",
  EPIPE: "reset",
  ECONNABORTED: "reset",
  ENOTCONN: "lost",
  EINTR: "aborted",
  ECONNREFUSED: "refused",
  ENOENT: "refused",
  EACCES: "refused",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ENOTFOUND: "unresolved",
  EAI_AGAIN: "unresolved",
  ETIMEDOUT: "timeout",
  EADDRINUSE: "in_use",
};

/** Makes a `NetError` of whatever a read, a write or a connect threw. */
export function toNetError(error: unknown): NetError {
  if (error instanceof NetError) return error;
  const message = messageOf(error);
  return new NetError(kindOf(error, message), message, error);
}

/** Of what is `unreachable`, whether its network is there and only the host is not. */
export function isHostUnreachable({ cause }: NetError): boolean {
  return (cause as { code?: unknown } | null)?.code === "EHOSTUNREACH";
}

function kindOf(error: unknown, message: string): NetErrorKind {
  const code = (error as { code?: unknown } | null)?.code;
  // Deno gives both a reset stream and a stopped one as ConnectionReset; only the text differs.
  if (message.startsWith("sending stopped")) return "stopped";
  if (message.startsWith("connection lost")) return "lost";
  // RFC 9000 §20.1: CONNECTION_REFUSED.
  if (message.includes("refused to accept a new connection")) return "refused";
  if (typeof code === "string") {
    if (code in BY_CODE) return BY_CODE[code];
    if (/^ERR_(SSL|TLS)_/.test(code)) return "tls";
  }
  if (error instanceof Deno.errors.ConnectionReset) return "reset";
  if (error instanceof Deno.errors.BrokenPipe) return "reset";
  if (error instanceof Deno.errors.BadResource) return "aborted";
  if (error instanceof Deno.errors.Interrupted) return "aborted";
  if (error instanceof Deno.errors.UnexpectedEof) return "reset";
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (error instanceof Deno.errors.NotFound) return "refused";
  if (error instanceof Deno.errors.TimedOut) return "timeout";
  if (error instanceof Deno.errors.InvalidData) return "tls";
  if (/resolve|lookup/.test(message)) return "unresolved";
  if (/certificate|handshake|alert/.test(message)) return "tls";
  return "other";
}
