import { Socket } from "../endpoint/socket.ts";
import type { HttpVersion, Offer } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import type { Sweeper } from "../net/sweeper.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import type { DeflateWishes } from "../protocol/websocket/permessage_deflate.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { Endpoint } from "./fields.ts";
import { type ServerLog, type SocketStart, stackOf, type Telling } from "./observer.ts";
import type { ServerConfig } from "./options.ts";
import { pathOf, type Refuser } from "./refuse.ts";
import {
  type Accepted,
  OfferedRequest,
  type RequestContext,
  type WebSocketRequest,
} from "./request.ts";
import { WatchedStream } from "./watched_stream.ts";

/** Answers a request for a WebSocket, and speaks on it until it returns. */
export type WebSocketHandler = (request: WebSocketRequest) => void | Promise<void>;

export interface ExchangeOptions {
  config: ServerConfig;
  handler: WebSocketHandler;
  sweeper: Sweeper;
  observer: Telling;
  log: ServerLog;
  refuser: Refuser;
  altSvc: (http: HttpVersion) => string | null;
  /** Where the server listens. */
  server: () => Endpoint;
  /** Told of a socket as soon as it is open; it is forgotten when it has ended. */
  onOpen: (socket: Socket) => void;
  nextId: () => number;
}

const INTERNAL_ERROR = { status: 500, text: "internal error" } as const;

/** One request for a WebSocket, and the socket that comes of it. */
export class Exchange implements RequestContext {
  readonly rootPath: string;
  readonly server: Endpoint;
  readonly altSvc: string | null;
  readonly deflate: DeflateWishes | null;
  readonly #offer: Offer;
  readonly #options: ExchangeOptions;
  /** Rejects when the client is gone before it has its answer. */
  #answering: Promise<unknown> | null = null;
  #opened: Socket | null = null;
  readonly #over = Promise.withResolvers<void>();
  /** Resolves when the socket has ended, whatever the handler still does; never without a socket. */
  readonly over: Promise<void> = this.#over.promise;

  constructor(offer: Offer, options: ExchangeOptions) {
    const { config, server, altSvc } = options;
    this.#offer = offer;
    this.#options = options;
    this.rootPath = config.rootPath;
    this.server = server();
    this.altSvc = altSvc(offer.request.http);
    this.deflate = config.deflate;
  }

  /** Resolves when the handler is done and its socket is over. Never rejects for a handler. */
  async run(): Promise<void> {
    const request = new OfferedRequest(this.#offer, this);
    let failed = false;
    try {
      await this.#options.handler(request);
    } catch (error) {
      failed = true;
      this.#tell(error, request);
    }
    if (this.#answering === null) {
      if (!failed) this.#tellUnanswered(request);
      return await this.#options.refuser.refuse(this.#offer, INTERNAL_ERROR);
    }
    await this.#answering.catch(() => {});
    if (this.#opened === null) return;
    const [code, reason] = failed
      ? [CloseCode.INTERNAL_ERROR, "internal error"] as const
      : [CloseCode.NORMAL, ""] as const;
    await this.#opened.close(code, reason);
  }

  respond(status: number, fields: readonly Field[], body: Uint8Array): Promise<void> {
    const answered = this.#offer.respond(status, fields, body);
    return this.#answered(this.#options.refuser.inTime(this.#offer, answered));
  }

  open(accepted: Accepted): Promise<Socket> {
    return this.#answered(this.#open(accepted));
  }

  /** Who does not wait for it is not told of a client that is gone, and needs not be. */
  #answered<T>(answering: Promise<T>): Promise<T> {
    answering.catch(() => {});
    this.#answering = answering;
    return answering;
  }

  async #open({ fields, protocol, deflate, onPong, onPing }: Accepted): Promise<Socket> {
    const { config, sweeper, refuser, onOpen } = this.#options;
    const tunnel = await refuser.inTime(this.#offer, this.#offer.accept(fields));
    const stream = new WatchedStream({
      ...{ stream: tunnel, sweeper },
      readTimeoutMs: config.readTimeoutMs,
      writeTimeoutMs: config.writeTimeoutMs,
      onIdle: () => void socket.close(CloseCode.GOING_AWAY, "idle for too long"),
    });
    const { pingIntervalMs, pongTimeoutMs, maxFrameBytes, maxMessageBytes } = config;
    const socket = new Socket({
      ...{ role: "server", stream, protocol, maxFrameBytes, maxMessageBytes, sweeper },
      ...{ onPong, onPing },
      http: this.#offer.request.http,
      extensions: deflate?.answer ?? "",
      fields: this.#offer.request.fields,
      ...(deflate !== null && { deflate: deflate.parameters }),
      ...(pingIntervalMs > 0 && { keepalive: { pingIntervalMs, pongTimeoutMs } }),
    });
    this.#opened = socket;
    this.#record(socket);
    void socket.closed.then(() => this.#over.resolve());
    onOpen(socket);
    return socket;
  }

  #record(socket: Socket): void {
    const { observer, nextId } = this.#options;
    const { http, remote, path } = this.#offer.request;
    const start: SocketStart = {
      ...{ id: nextId(), http, client: remote },
      path: pathOf(path),
      protocol: socket.protocol,
    };
    const startedMs = performance.now();
    observer.socketOpened(start);
    void socket.closed.then((end) =>
      observer.socketClosed({ ...start, ...end, durationMs: performance.now() - startedMs })
    );
  }

  /** A client that is gone is no fault of the handler's. */
  #tell(error: unknown, { signal }: WebSocketRequest): void {
    const { log } = this.#options;
    const about = this.#about();
    const isPeers = error instanceof NetError || error instanceof PeerError;
    if (isPeers && (this.#answering !== null || signal.aborted)) {
      log.info("socket.handler_ended", { ...about, reason: error.message });
    } else {
      log.error("socket.handler_failed", { ...about, error: stackOf(error) });
    }
  }

  #about() {
    const { http, path, remote: client } = this.#offer.request;
    return { http, path: pathOf(path), client };
  }

  /** A client that is gone gets no answer from anybody. */
  #tellUnanswered({ signal }: WebSocketRequest): void {
    const { log } = this.#options;
    const about = this.#about();
    if (signal.aborted) {
      log.info("socket.handler_ended", { ...about, reason: signal.reason.message });
    } else {
      const error = "The handler returned without accept() or reject()";
      log.error("socket.not_answered", { ...about, error });
    }
  }
}
