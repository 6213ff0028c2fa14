import { formatAddress } from "../net/address.ts";
import { type Dial, dial, type Dialled } from "../net/dial.ts";
import { NetError } from "../net/error.ts";
import { parseAltSvc } from "../protocol/wire/alt_svc.ts";
import { type Field, getField, getFields } from "../protocol/wire/field.ts";
import { ClientPool } from "./client_pool.ts";
import { ALPN_H2, H2Client } from "./h2_client.ts";
import { H3Client } from "./h3_client.ts";
import { type HttpClient, NoExtendedConnect } from "./http_client.ts";
import { SharedAttempt } from "./shared_attempt.ts";
import type { Target } from "./target.ts";

/** How an origin is come to, and whom its certificates are trusted as. */
export interface Way {
  readonly caCerts?: string[];
  readonly certificateHashes?: Uint8Array[];
  readonly insecure: boolean;
  /** How TCP connections are made; `dial` of net if left out. */
  readonly dial?: Dial;
  /** Whether HTTP/3 is not tried by itself. */
  readonly tcpOnly: boolean;
}

/** Times of all origins. */
export interface OriginTimes {
  readonly idleMs: number;
  readonly idleQuicMs: number;
  readonly headStartMs: number;
  readonly failedMs: number;
}

/** What was dialled: HTTP/2 and HTTP/3 went to the others, HTTP/1.1 is for who takes it first. */
export type Chosen =
  | { http: "2" | "3"; client: HttpClient }
  | { http: "1.1"; take(): Dialled | null };

/** Where HTTP/3 is spoken for the origin. */
export interface H3Place {
  readonly hostname: string;
  readonly port: number;
}

const ALPN_H1 = "http/1.1";
const ALPN_H3 = "h3";

/** What is known of one origin, and its open connections. */
export class Origin {
  readonly target: Target;
  readonly way: Way;
  readonly times: OriginTimes;
  readonly h2: ClientPool;
  readonly h3: ClientPool;
  readonly #tcp = new SharedAttempt<Chosen>();
  readonly #tcp2 = new SharedAttempt<HttpClient>();
  readonly #quic = new SharedAttempt<HttpClient>();
  #alternative: (H3Place & { untilMs: number }) | null = null;
  #h3FailedUntilMs = -Infinity;
  #h2UnfitUntilMs = -Infinity;
  #closed = false;

  constructor(target: Target, way: Way, times: OriginTimes) {
    this.target = target;
    this.way = way;
    this.times = times;
    this.h2 = new ClientPool(times.idleMs);
    this.h3 = new ClientPool(times.idleQuicMs);
  }

  get size(): number {
    return this.h2.size + this.h3.size;
  }

  /** RFC 7838 §2: takes note of what an answer says of other places. */
  learn(fields: readonly Field[]): void {
    const values = getFields(fields, "alt-svc");
    // RFC 7838 §2.1: without TLS nothing shows that the other place is the origin's.
    if (values.length === 0 || !this.target.secure || this.way.insecure) return;
    const services = parseAltSvc(values.join(", "));
    if (services === null) return;
    // RFC 7838 §3.1: a new field takes the place of what was known.
    const h3 = services.find(({ protocol }) => protocol === ALPN_H3);
    if (h3 === undefined || h3.maxAgeSeconds === 0) {
      this.#alternative = null;
      return;
    }
    // RFC 7838 §3.1: what a cache had for so long is good for so much less.
    const age = Number(/^[0-9]+$/.exec(getField(fields, "age") ?? "")?.[0] ?? 0);
    const untilMs = performance.now() + (h3.maxAgeSeconds - age) * 1000;
    const hostname = h3.host === "" ? this.target.hostname : h3.host;
    this.#alternative = { hostname, port: h3.port, untilMs };
  }

  /** Where HTTP/3 was said to be spoken, if it was and did not fail lately. */
  get alternative(): H3Place | null {
    if (!this.mayTryH3) return null;
    if (this.#alternative !== null && this.#alternative.untilMs > performance.now()) {
      return this.#alternative;
    }
    // They name a certificate of HTTP/3.
    return this.way.certificateHashes === undefined ? null : this.target;
  }

  /** Whether HTTP/3 is of use where nobody asks for it: it did not fail lately. */
  get mayTryH3(): boolean {
    return !this.way.tcpOnly && !this.way.insecure && this.#h3FailedUntilMs <= performance.now();
  }

  /** HTTP/3 does not work on this way now. */
  failedH3(): void {
    this.#h3FailedUntilMs = performance.now() + this.times.failedMs;
  }

  /** Whether WebSockets are known to need HTTP/1.1 over TCP. */
  get h2Unfit(): boolean {
    return this.#h2UnfitUntilMs > performance.now();
  }

  unfitH2(): void {
    this.#h2UnfitUntilMs = performance.now() + this.times.failedMs;
  }

  /** Adds an HTTP/3 connection to `h3`. Throws `NetError`. */
  dialH3(place: H3Place, signal: AbortSignal): Promise<HttpClient> {
    return this.#quic.join(async (signal) => {
      const { caCerts, certificateHashes } = this.way;
      const serverName = this.target.hostname;
      const { hostname, port } = place;
      const at = { hostname, port, serverName, caCerts, certificateHashes, signal };
      return await this.#share(await H3Client.connect(at), signal, altUsed(place, this.target));
    }, signal);
  }

  /** Adds an HTTP/2 connection to `h2`. Throws `NetError`. */
  dialH2(signal: AbortSignal): Promise<HttpClient> {
    return this.#tcp2.join(async (signal) => {
      const { hostname, port, secure } = this.target;
      const { caCerts, insecure, dial } = this.way;
      const at = { hostname, port, secure, caCerts, insecure, dial, signal };
      return await this.#share(await H2Client.connect(at), signal);
    }, signal);
  }

  /** Dials by TCP what the server likes best: HTTP/2, if WebSockets go by that, or HTTP/1.1. */
  dialTcp(signal: AbortSignal): Promise<Chosen> {
    return this.#tcp.join(async (signal) => {
      const stream = await this.#dial([ALPN_H2, ALPN_H1], signal);
      if (stream.alpn !== ALPN_H2) {
        this.unfitH2();
        return onlyOnce(stream, signal);
      }
      try {
        return { http: "2", client: await this.#share(H2Client.over(stream), signal) };
      } catch (error) {
        // RFC 8441 §3: it says no; so HTTP/1.1 serves.
        if (!(error instanceof NoExtendedConnect)) throw error;
        this.unfitH2();
        return { http: "1.1", take: () => null };
      }
    }, signal);
  }

  /** A connection for HTTP/1.1. */
  dialH1(signal: AbortSignal): Promise<Dialled> {
    return this.#dial([ALPN_H1], signal);
  }

  #dial(alpnProtocols: string[], signal: AbortSignal): Promise<Dialled> {
    const { hostname, port, secure } = this.target;
    const { caCerts, insecure, dial: connect = dial } = this.way;
    const tls = secure ? { serverName: hostname, caCerts, alpnProtocols, insecure } : undefined;
    return connect({ hostname, port, tls }, signal);
  }

  /** RFC 8441 §3, RFC 9220 §3: what carries no WebSockets is ended, and an error. */
  async #share(
    client: H2Client | H3Client,
    signal: AbortSignal,
    fields: readonly Field[] = [],
  ): Promise<HttpClient> {
    const giveUp = () => client.close();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      if (signal.aborted) giveUp();
      if (!await client.extendedConnect()) throw new NoExtendedConnect(client.http);
      if (this.#closed) throw new NetError("aborted", "the connections were closed");
    } catch (error) {
      client.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
    if (client.http === "3") this.#h3FailedUntilMs = -Infinity;
    (client.http === "3" ? this.h3 : this.h2).add(client, fields);
    return client;
  }

  /** Ends every connection. */
  close(): void {
    this.#closed = true;
    this.h2.close();
    this.h3.close();
  }
}

/** RFC 7838 §5: the place that is used, where the server named it. */
function altUsed(place: H3Place, target: Target): Field[] {
  return place === target ? [] : [["alt-used", formatAddress(place)]];
}

/** A connection that one of those who waited for it gets, or nobody. */
function onlyOnce(stream: Dialled, signal: AbortSignal): Chosen {
  let left: Dialled | null = stream;
  const take = () => {
    const taken = left;
    left = null;
    signal.removeEventListener("abort", drop);
    return taken;
  };
  const drop = () => take()?.abort();
  signal.addEventListener("abort", drop, { once: true });
  if (signal.aborted) drop();
  return { http: "1.1", take };
}
