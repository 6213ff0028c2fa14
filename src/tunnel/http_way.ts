import { type Refused, requestUpgrade, type Upgraded, type UpgradeRequest } from "../client/h1.ts";
import { H1Pool, type H1Response } from "../client/h1_pool.ts";
import { type H1Request, UnwritableRequest } from "../client/h1_request.ts";
import { RequestBroken } from "../client/h1_upload.ts";
import { UpgradeMismatch } from "../client/negotiated.ts";
import type { Offer } from "../ingress/offer.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import type { Cancel } from "../net/cancel.ts";
import { messageOf, NetError } from "../net/error.ts";
import { pipe } from "../net/pipe.ts";
import { sha1 } from "../net/sha1.ts";
import { inTime, type Sweeper } from "../net/sweeper.ts";
import { endToEnd } from "../protocol/http1/connection.ts";
import type { AbsoluteRequest } from "../protocol/http1/proxy_request.ts";
import { acceptsTrailers } from "../protocol/http1/trailers.ts";
import { acceptFor } from "../protocol/websocket/handshake.ts";
import { PeerError } from "../protocol/wire/error.ts";
import { type Field, getField } from "../protocol/wire/field.ts";
import { bodyOf, contentFor } from "../proxy/forward.ts";
import { acceptedFields, clientKey, responseFields } from "../proxy/headers.ts";
import type { Gateway, GatewayConnection } from "./gateway.ts";
import { answerRefused, respondText } from "./http_refusal.ts";
import type { Asked } from "./observer.ts";
import { TunnelRefused } from "./target.ts";

export interface HttpWayOptions {
  gateway: Gateway;
  sweeper: Sweeper;
  /** How long its connection is kept for the next request. */
  keepAliveMs: number;
  /** How long the target's answer to an Upgrade may take. */
  handshakeTimeoutMs: number;
  ask: Ask;
}

type Ask = Omit<Asked, "id">;

const MAX_HEADER_BYTES = 65_536;

// RFC 6455 §4.1: the handshake with the target is one of its own.
const HANDSHAKE: ReadonlySet<string> = new Set([
  ...["host", "content-length", "expect", "trailer"],
  ...["sec-websocket-key", "sec-websocket-version", "sec-websocket-accept"],
]);

/** Where the requests of one client for one target go: one connection through an agent. */
export class HttpWay {
  readonly #options: HttpWayOptions;
  readonly #pool: H1Pool;
  /** How the next connection is asked for: as by the last request, whose pass is the newest. */
  #asking: Ask;
  /** Whether a request is under way, or its answer was broken off. */
  #isBusy = false;
  /** Why the last connection did not come to be. */
  #refused: TunnelRefused | null = null;

  constructor(options: HttpWayOptions) {
    this.#options = options;
    const { sweeper, keepAliveMs, ask } = options;
    this.#asking = ask;
    this.#pool = new H1Pool({
      dial: (signal) => this.#dial(signal),
      // A client's requests come one after the other.
      ...{ maxConnections: 1, maxIdle: 1, idleTimeoutMs: keepAliveMs },
      // The gateway has its own time to connect; how long an answer takes is for the client to say.
      ...{ dialTimeoutMs: Infinity, waitTimeoutMs: Infinity },
      ...{ answerTimeoutMs: Infinity, contentTimeoutMs: Infinity, writeTimeoutMs: Infinity },
      maxHeaderBytes: MAX_HEADER_BYTES,
      sweeper,
    });
  }

  /** Whether it is that of such requests; then it is asked so from now on. */
  takes(ask: Ask): boolean {
    const { user, group, target: { host, port } } = this.#asking;
    const isSame = ask.user === user && ask.group === group && ask.target.host === host &&
      ask.target.port === port;
    if (isSame) this.#asking = ask;
    return isSame;
  }

  close(): void {
    this.#pool.close();
  }

  async #dial(signal: AbortSignal): Promise<ByteStream> {
    const { gateway } = this.#options;
    this.#refused = null;
    try {
      const connection = await gateway.open(this.#asking, signal);
      const [ours, theirs] = pipe();
      void gateway.carry(connection, { ...theirs, endsBothWays: true });
      // One that is only kept ends as TCP's would: by FIN, and for no error.
      const end = () => void ours.closeWrite().catch(() => {});
      return { ...ours, abort: (reason) => this.#isBusy ? ours.abort(reason) : end() };
    } catch (error) {
      if (error instanceof TunnelRefused) this.#refused = error;
      throw error;
    }
  }

  /** Answers with what the target answers, both as they come. */
  async forward(offer: Offer, { head }: AbsoluteRequest, cancel: Cancel): Promise<void> {
    const { fields } = offer.request;
    // RFC 9110 §10.1.4: TE is for one hop, but this hop passes trailers on.
    const te: Field[] = acceptsTrailers(fields) ? [["te", "trailers"]] : [];
    const request = { ...head, fields: [...head.fields, ...te] };
    this.#isBusy = true;
    const response = await this.#ask(offer, request, cancel);
    if (response === null) return;
    const answer = responseFields(response.fields, {}, response.version);
    try {
      await offer.respond(response.status, answer, bodyOf(response));
      this.#isBusy = false;
    } catch (error) {
      // The answer breaks off, and whoever reads it sees that.
      if (!isPeers(error)) throw error;
    } finally {
      response.content?.cancel();
    }
  }

  /** `null` where there is none: then the client was told so, or is gone. */
  async #ask(offer: Offer, request: H1Request, cancel: Cancel): Promise<H1Response | null> {
    try {
      return await this.#pool.request(request, contentFor(offer), {
        signal: cancel,
        onInformational: (status, fields) => inform(offer, status, endToEnd(fields)),
      });
    } catch (error) {
      await this.#failed(offer, error, cancel);
      return null;
    }
  }

  async #failed(offer: Offer, error: unknown, cancel: Cancel): Promise<void> {
    // Of content that broke off the door has told.
    if (cancel.aborted || error instanceof RequestBroken) return;
    if (error instanceof UnwritableRequest) return await respondText(offer, 400, error.message);
    const refused = this.#refused;
    this.#refused = null;
    if (!isPeers(error) && refused === null) throw error;
    await answerRefused(offer, refused ?? error);
  }

  /** RFC 9110 §7.8: a WebSocket, or another protocol that both ends agree on. */
  async upgrade(offer: Offer, asked: AbsoluteRequest, cancel: Cancel): Promise<void> {
    const { gateway, sweeper, handshakeTimeoutMs: afterMs } = this.#options;
    let connection: GatewayConnection;
    try {
      connection = await gateway.open(this.#asking, cancel);
    } catch (error) {
      if (!(error instanceof TunnelRefused)) throw error;
      return cancel.aborted ? undefined : await answerRefused(offer, error);
    }
    const { stream } = connection;
    cancel.addEventListener("abort", () => stream.abort("the client is gone"));
    const slow = new NetError("timeout", `no answer within ${afterMs} ms`);
    const late = () => {
      throw slow;
    };
    let answer: Upgraded | Refused;
    try {
      const asking = requestUpgrade(stream, upgradeOf(offer, asked));
      answer = await inTime(asking, { sweeper, afterMs, late });
    } catch (error) {
      stream.abort("no answer to be had");
      const by = cancel.aborted ? "client" : error === slow ? "us" : "target";
      gateway.release(connection, { by, reason: messageOf(error), ...NOTHING });
      return await this.#failed(offer, error, cancel);
    }
    if (answer.kind === "refused") {
      await pass(offer, answer, cancel);
      const reason = `it answered ${answer.status}`;
      return gateway.release(connection, { by: "target", reason, ...NOTHING });
    }
    const fields = switched(offer, answer);
    await gateway.carryTo({ ...connection, stream: answer.stream }, () => offer.accept(fields));
  }
}

const NOTHING = { bytesToTarget: 0, bytesToClient: 0 };

function upgradeOf({ request }: Offer, { head }: AbsoluteRequest): UpgradeRequest {
  const { method, target, fields } = head;
  return {
    ...{ method, target, protocol: request.protocol!, maxHeaderBytes: MAX_HEADER_BYTES },
    host: getField(fields, "host")!,
    fields: fields.filter(([name]) => !HANDSHAKE.has(name)),
  };
}

/** The fields of the 101 for the client. */
function switched({ request }: Offer, { fields, protocol }: Upgraded): Field[] {
  const key = protocol === "websocket" ? clientKey(request) : null;
  const answer = acceptedFields(fields, key === null ? null : acceptFor(key, sha1));
  return [...answer, ["upgrade", protocol]];
}

/** The target's own refusal, whole. */
async function pass(offer: Offer, answer: Refused, cancel: Cancel): Promise<void> {
  const { status, version, fields, content } = answer;
  cancel.addEventListener("abort", () => content.cancel());
  try {
    await offer.respond(status, responseFields(fields, {}, version), content);
  } catch (error) {
    if (!isPeers(error)) throw error;
  } finally {
    content.cancel();
  }
}

async function inform(offer: Offer, status: number, fields: Field[]): Promise<void> {
  try {
    await offer.inform(status, fields);
  } catch (error) {
    // A client that is gone is told of once, by onGone.
    if (!(error instanceof NetError)) throw error;
  }
}

function isPeers(error: unknown): boolean {
  return error instanceof NetError || error instanceof PeerError ||
    error instanceof UpgradeMismatch;
}
