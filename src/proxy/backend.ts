import { type Refused, requestUpgrade, type Upgraded, type UpgradeRequest } from "../client/h1.ts";
import type { ClientEnds } from "../client/h1_pool.ts";
import { UpgradeMismatch } from "../client/negotiated.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { dial, type DialTarget } from "../net/dial.ts";
import { NetError, toNetError } from "../net/error.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { prefaceOf } from "./preface.ts";

/** Where sessions go. */
export interface BackendTarget {
  /** How it is connected to. */
  dial: DialTarget;
  /** As it was configured, for messages. */
  url: string;
  /** Host for the backend, or `null` to pass on what the client asked for. */
  host: string | null;
  /** That of requests that no client's Host is passed on with; default that of `url`. */
  authority?: string;
  /** The path that is asked for, or `null` for that of the request. */
  path: string | null;
  /** Of its answer's fields; 502 above it. */
  maxHeaderBytes: number;
  /** The version of the PROXY header that tells it of the client; without it there is none. */
  proxyProtocol?: 1 | 2;
}

/** The backend can't be used. `status` is what the client gets. */
export class BackendError extends Error {
  override name = "BackendError";
  readonly status: 502 | 503 | 504;
  readonly stage: "backend_dial" | "backend_handshake";

  constructor(stage: "backend_dial" | "backend_handshake", message: string, cause: Error) {
    super(message, { cause });
    this.stage = stage;
    this.status = statusOf(cause);
  }
}

function statusOf(cause: Error): 502 | 503 | 504 {
  if (!(cause instanceof NetError)) return 502;
  return cause.kind === "timeout" ? 504 : cause.kind === "busy" ? 503 : 502;
}

/** What the backend is asked for, and for whom. */
export interface UpgradeAsk extends Omit<UpgradeRequest, "maxHeaderBytes"> {
  /** Default: for nobody but the proxy. */
  client?: ClientEnds;
}

/**
 * Dials the backend and asks it for the tunnel that the client asked for.
 *
 * `dialed` is called once the connection stands and the handshake begins. An abort of `signal`
 * ends it all; a `NetError` of kind "timeout" as its reason becomes a 504.
 *
 * @throws {BackendError}
 */
export async function openBackend(
  target: BackendTarget,
  { client, ...request }: UpgradeAsk,
  control: { signal: AbortSignal; dialed: () => void },
): Promise<Upgraded | Refused> {
  const stream = await dialBackend(target, client ?? null, control.signal);
  const onAbort = () => stream.abort();
  control.signal.addEventListener("abort", onAbort, { once: true });
  // The client may have gone in the very turn in which the connection came up.
  if (control.signal.aborted) onAbort();
  control.dialed();
  try {
    const { maxHeaderBytes } = target;
    const answer = await requestUpgrade(stream, { ...request, maxHeaderBytes });
    // RFC 9114 §4.4: any 2xx would tell the client of a CONNECT that its tunnel is open.
    if (answer.kind === "refused" && answer.status < 300) {
      throw new UpgradeMismatch(`it answered ${answer.status}`);
    }
    return answer;
  } catch (error) {
    stream.abort();
    throw handshakeError(target, control.signal.aborted ? control.signal.reason : error);
  } finally {
    control.signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Connects to the backend, and tells it of the client if it wants to know.
 *
 * @throws {BackendError}
 */
export async function dialBackend(
  target: BackendTarget,
  client: ClientEnds | null,
  signal: AbortSignal,
): Promise<ByteStream> {
  try {
    const preface = prefaceOf(target, client);
    return await dial(preface === undefined ? target.dial : { ...target.dial, preface }, signal);
  } catch (error) {
    const cause = toNetError(error);
    throw new BackendError("backend_dial", `Cannot dial ${target.url}: ${cause.message}`, cause);
  }
}

function handshakeError(target: BackendTarget, error: unknown): unknown {
  const foreign = error instanceof NetError || error instanceof PeerError ||
    error instanceof UpgradeMismatch;
  if (!foreign) return error;
  const message = `Backend ${target.url} did not upgrade: ${error.message}`;
  return new BackendError("backend_handshake", message, error);
}

/** What the backend itself goes by, where no client says another host. */
export function authorityOf({ authority, url }: Pick<BackendTarget, "authority" | "url">): string {
  return authority ?? ((URL.canParse(url) && new URL(url).host) || "localhost");
}

/** The path of the backend's URL if it has one, else the request's; its query in both cases. */
export function targetOf(backendPath: string | null, requestPath: string): string {
  const mark = requestPath.indexOf("?");
  const query = mark < 0 ? "" : requestPath.slice(mark + 1);
  if (backendPath !== null) {
    if (query === "") return backendPath;
    return backendPath + (backendPath.includes("?") ? "&" : "?") + query;
  }
  // "//host/path" in a request line could be taken for an authority.
  return requestPath.replace(/^\/{2,}/, "/");
}
