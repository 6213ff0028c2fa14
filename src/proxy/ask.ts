import type { Refused, Upgraded } from "../client/h1.ts";
import { readWhole } from "../ingress/content.ts";
import type { Offer, OfferRequest } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { BackendError, type BackendTarget, dialBackend, openBackend, targetOf } from "./backend.ts";
import { type RequestRules, upgradeFields } from "./headers.ts";
import { firstReachable } from "./reachable.ts";
import type { LiveRoute } from "./routes.ts";

/** What a backend said to a client's wish for a tunnel. */
export interface Asked {
  answer: Upgraded | Refused;
  target: BackendTarget;
  /** To be called when the session, or the refusal, is over. */
  release: () => void;
}

export interface AskOptions {
  /** For the backend, as the route gives it. */
  path: string;
  rules: RequestRules;
  sweeper: Sweeper;
}

/** Content that goes with an upgrade is sent whole, with its head. */
const MAX_CONTENT_BYTES = 64 * 1024;

/**
 * Asks the backends of a route one after the other, until one can be dialled. `null` when the client
 * is gone meanwhile.
 *
 * @throws {BackendError} of the last one
 */
export async function askBackends(
  offer: Offer,
  live: LiveRoute,
  options: AskOptions,
): Promise<Asked | null> {
  const { content: whole } = offer;
  const content = whole === null ? undefined : await readWhole(whole, MAX_CONTENT_BYTES);
  if (content === null) throw new UpgradeContentTooLarge();
  return await firstReachable(live, offer.request, async (target) => {
    const release = live.upstream.take(target);
    try {
      const answer = await ask(offer, { target, live, content, ...options });
      if (answer !== null) {
        live.upstream.succeeded(target);
        return { answer, target, release };
      }
    } catch (error) {
      release();
      throw error;
    }
    release();
    return null;
  });
}

interface AskOne extends AskOptions {
  target: BackendTarget;
  live: LiveRoute;
  content: Uint8Array | undefined;
}

/** Asks one backend, within the two timeouts and as long as the client is there. */
async function ask(offer: Offer, options: AskOne): Promise<Upgraded | Refused | null> {
  const { target, sweeper, live } = options;
  const { dialTimeoutMs, handshakeTimeoutMs } = live.limits;
  const controller = new AbortController();
  let gone = false;
  offer.onGone(() => {
    gone = true;
    controller.abort(new NetError("aborted", "client is gone"));
  });
  const late = (what: string, ms: number) => () =>
    controller.abort(new NetError("timeout", `${what} took longer than ${ms} ms`));
  let deadline = new Deadline(sweeper, dialTimeoutMs, late("dial", dialTimeoutMs));
  const { request } = offer;
  try {
    if (request.protocol === null) {
      return connected(await dialBackend(target, request, controller.signal));
    }
    return await openBackend(target, requestOf(request, options), {
      signal: controller.signal,
      dialed: () => {
        deadline.clear();
        deadline = new Deadline(sweeper, handshakeTimeoutMs, late("handshake", handshakeTimeoutMs));
      },
    });
  } catch (error) {
    if (gone && error instanceof BackendError) return null;
    throw error;
  } finally {
    deadline.clear();
  }
}

/** RFC 9110 §9.3.6: what a CONNECT asks for is there as soon as it is dialled. */
function connected(stream: ByteStream): Upgraded {
  return {
    kind: "upgraded",
    stream,
    protocol: "tcp",
    fields: [],
    subprotocol: null,
    allowedRsv: null,
  };
}

function requestOf(request: OfferRequest, { target, path, rules, content }: AskOne) {
  return {
    // RFC 8441 §5: what an extended CONNECT asks for is a GET in HTTP/1.1.
    method: request.method === "CONNECT" ? "GET" : request.method,
    target: targetOf(target.path, path),
    host: target.host ?? request.authority,
    protocol: request.protocol ?? "websocket",
    fields: upgradeFields(request, rules),
    client: request,
    content,
  };
}

/** The content that came with an upgrade is more than is kept for it: 413. */
export class UpgradeContentTooLarge extends Error {
  override name = "UpgradeContentTooLarge";

  constructor() {
    super(`content of more than ${MAX_CONTENT_BYTES} bytes with an upgrade`);
  }
}
