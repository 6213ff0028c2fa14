import type { ByteStream } from "../net/byte_stream.ts";
import { NetError } from "../net/error.ts";
import { HttpError } from "../protocol/http1/error.ts";
import type { RequestEvent } from "../protocol/http1/request_sequence.ts";
import type { Upgrade } from "../protocol/http2/upgrade.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Accepted, ConnectionEnd, DoorOptions } from "./door.ts";
import { refusal, switchingHead } from "./h1_answer.ts";
import { REQUEST_TIMEOUT } from "./h1_content.ts";
import { H1Link } from "./h1_link.ts";
import { H1Request } from "./h1_request.ts";
import { H1Tunnel } from "./h1_tunnel.ts";
import { h2cOf } from "./h2c.ts";
import { readPast } from "./read_past.ts";

/** RFC 9112 §9.6: behind the last answer it is read on, so that no RST takes the answer away. */
const LINGER_MS = 2000;

export interface H1DoorOptions extends DoorOptions {
  /** Whether a request in clear text may switch to HTTP/2 (RFC 7540 §3.2); default `false`. */
  h2cUpgrade?: boolean;
}

/** What goes on behind a 101 to HTTP/2. */
export interface SwitchedToH2 {
  readonly stream: ByteStream;
  readonly upgrade: Upgrade;
}

/** One HTTP/1.1 connection on the server's side, from its first byte to its end. */
export class H1Connection {
  readonly #conn: Accepted;
  readonly #options: H1DoorOptions;
  readonly #link: H1Link;
  /** The one that is being answered. */
  #request: H1Request | null = null;
  /** Whether nothing has begun: no head, no answer. */
  #isIdle = false;
  /** The answer to a head that took too long. */
  #refusing: Promise<void> | null = null;
  #end: ConnectionEnd | null = null;
  /** Set when `run` resolves and the connection is not over: it is HTTP/2 from now on. */
  switched: SwitchedToH2 | null = null;

  constructor(conn: Accepted, options: H1DoorOptions) {
    this.#conn = conn;
    this.#options = options;
    this.#link = new H1Link({
      stream: conn.stream,
      maxHeaderBytes: options.maxHeaderBytes,
      writeTimeoutMs: options.writeTimeoutMs,
      onLost: (error) => this.#request?.lose(error),
      goneAtFin: options.goneAtFin,
    });
  }

  /** Resolves when the connection is over, with its tunnel if it became one. Never rejects. */
  async run(): Promise<ConnectionEnd> {
    const { sweeper, onBug } = this.#options;
    sweeper.add(this.#link);
    try {
      await this.#serve();
    } catch (error) {
      if (!(error instanceof NetError)) onBug("http/1.1 connection", error);
      const byPeer = error instanceof NetError && error.kind !== "aborted";
      this.#ends({ code: 0, reason: error instanceof Error ? error.message : "", byPeer });
    }
    sweeper.delete(this.#link);
    if (this.switched === null) this.#conn.stream.abort();
    return this.#end ?? { code: 0, reason: "", byPeer: false };
  }

  /** One request after the other. */
  async #serve(): Promise<void> {
    for (;;) {
      const event = await this.#nextHead();
      if (event === null) return;
      const upgrade = this.#h2cOf(event);
      if (upgrade !== null) return await this.#switch(upgrade);
      const request = this.#offer(event);
      const outcome = await request.done;
      if (outcome === "gone") return this.#ends(gone("the client is gone"));
      if (outcome === "tunnel") return this.#ends({ code: 0, reason: "", byPeer: false });
      if (outcome === "close") {
        request.content?.cancel();
        return await this.#linger();
      }
      await this.#readPast(request);
      this.#request = null;
      this.#link.sequence.restart();
    }
  }

  #h2cOf(event: RequestEvent): Upgrade | null {
    if (this.#options.h2cUpgrade !== true) return null;
    // RFC 7540 §3.2: "h2c" is for clear text alone.
    if (this.#conn.secure || this.#link.draining) return null;
    return h2cOf(event);
  }

  /** RFC 7540 §3.2: behind the 101 there are frames, and the first stream's is this request. */
  async #switch(upgrade: Upgrade): Promise<void> {
    const link = this.#link;
    const { sweeper, writeTimeoutMs } = this.#options;
    // Without content its end is told with the head.
    link.sequence.next();
    const stream = new H1Tunnel({ link, sweeper, writeTimeoutMs });
    await link.write(switchingHead("h2c", []));
    this.#ends({ code: 0, reason: "switched to HTTP/2", byPeer: false });
    this.switched = { stream, upgrade };
  }

  /** `null` when there is none: the connection has ended, or must. */
  async #nextHead(): Promise<RequestEvent | null> {
    const link = this.#link;
    let inHead = false;
    try {
      for (;;) {
        const event = link.sequence.next();
        if (event !== null) {
          link.readDone();
          return event as RequestEvent;
        }
        inHead = this.#awaitHead(inHead);
        if (this.#isIdle && link.draining) {
          await this.#linger();
          return null;
        }
        const chunk = await link.read();
        this.#isIdle = false;
        if (this.#refusing !== null) break;
        if (chunk === null) {
          link.sequence.end();
          this.#ends(gone(""));
          return null;
        }
        link.took();
        link.sequence.push(chunk);
      }
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#refusing = this.#refuse(error);
    }
    await this.#refusing;
    return null;
  }

  /** Begins the time that runs now: a whole head's from its first byte, or that of idleness. */
  #awaitHead(inHead: boolean): boolean {
    const { idleTimeoutMs, headTimeoutMs } = this.#options;
    const link = this.#link;
    if (!link.sequence.inHead) {
      this.#isIdle = !link.hasRest;
      link.readWithin(idleTimeoutMs, this.#idleTooLong);
      return false;
    }
    if (!inHead) link.readWithin(headTimeoutMs, this.#headTooSlow);
    return true;
  }

  readonly #idleTooLong = (): void => {
    this.#ends({ code: 0, reason: "idle", byPeer: false });
    this.#conn.stream.abort();
  };

  readonly #headTooSlow = (): void => {
    this.#refusing = this.#refuse(new HttpError(REQUEST_TIMEOUT, "The head took too long to come"));
  };

  #offer(event: RequestEvent): H1Request {
    const { headTimeoutMs, writeTimeoutMs, sweeper } = this.#options;
    const { contentTimeoutMs = headTimeoutMs } = this.#options;
    const { remote, local, secure, clientCertificate } = this.#conn;
    const request = new H1Request({
      event,
      link: this.#link,
      remote,
      local,
      secure,
      clientCertificate,
      contentTimeoutMs,
      writeTimeoutMs,
      sweeper,
      onBroken: (error, status) => this.#tell(error, status),
    });
    this.#request = request;
    void this.#handOver(request);
    return request;
  }

  async #handOver(request: H1Request): Promise<void> {
    const { onOffer, onBug } = this.#options;
    try {
      await onOffer(request);
      if (!request.isAnswered) throw new Error("A request was not answered");
    } catch (error) {
      const isPeers = error instanceof NetError || error instanceof PeerError;
      if (!isPeers) onBug("http/1.1 request", error);
      request.crash();
    }
  }

  /** RFC 9112 §9.3: what is left of an answered request's content. */
  async #readPast({ content }: H1Request): Promise<void> {
    if (content === null || content.ended) return;
    try {
      await content.discard(() => this.#conn.stream.abort("content too slow"));
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#tell(error, null);
      throw new NetError("lost", error.message);
    }
  }

  /** Answers what is no request; never rejects. The connection ends behind it. */
  async #refuse(error: HttpError): Promise<void> {
    this.#tell(error, error.code);
    this.#link.readDone();
    try {
      await this.#link.write(refusal(error.code, error.message));
      await this.#linger();
    } catch {
      // It did not want to know.
    }
  }

  #tell(error: PeerError, status: number | null): void {
    const { onHeadRefused, onPeerError } = this.#options;
    const { remote } = this.#conn;
    this.#ends({ code: error.code, reason: error.message, byPeer: false });
    if (status !== null) onHeadRefused(status, remote, error.message);
    else onPeerError(error, remote);
  }

  /** FIN, and then what the client still sends is read past until it ends, too. */
  async #linger(): Promise<void> {
    const link = this.#link;
    this.#ends({ code: 0, reason: "", byPeer: false });
    try {
      await link.closeWrite();
    } catch {
      // It ends in any case.
      return;
    }
    link.readWithin(LINGER_MS, () => this.#conn.stream.abort());
    await readPast(() => link.read(), () => link.took());
  }

  #ends(end: ConnectionEnd): void {
    this.#end ??= end;
  }

  /** An idle connection ends now, any other with the answer under way; a tunnel goes on. */
  drain(): void {
    this.#link.draining = true;
    if (!this.#isIdle) return;
    this.#ends({ code: 0, reason: "drain", byPeer: false });
    this.#conn.stream.abort();
  }

  /** Ends it at once. */
  close(): void {
    this.#ends({ code: 0, reason: "closed", byPeer: false });
    this.#conn.stream.abort();
    this.#request?.abort();
  }
}

function gone(reason: string): ConnectionEnd {
  return { code: 0, reason, byPeer: true };
}
