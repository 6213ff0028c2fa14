import type { Refusal } from "../net/accepted.ts";
import type {
  ConnectionEnd,
  ErrorStage,
  HttpVersion,
  Observer,
  Rejection,
  RequestEnd,
  SessionEnd,
  SessionStart,
} from "../proxy/observer.ts";
import { Counters, type Stats } from "./counters.ts";
import type { Fields, Log } from "./log.ts";
import { registerMetrics } from "./metrics.ts";
import { refusedLines } from "./refused_lines.ts";
import type { Registry } from "./registry.ts";

export interface ObserverOptions {
  /** Gets the metrics; one registry for each observer. */
  registry: Registry;
  log: Log;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

/** An observer that tells what it has counted. */
export interface CountingObserver extends Observer {
  /** The statistics in short. */
  stats(): Stats;
}

/**
 * The observer of one proxy: it counts for the metrics and writes the log. A socket is one line
 * (`ws.open`) when it opens and one (`ws.close`) when it ends, both at level info.
 */
export function createObserver(options: ObserverOptions): CountingObserver {
  const { registry, log, now = () => performance.now() } = options;
  const counters = new Counters();
  registerMetrics(registry, counters);
  const refused = refusedLines(log, now);
  const info = log.enabled("info");
  const debug = log.enabled("debug");
  return {
    toBackend: counters.toBackend,
    toClient: counters.toClient,
    stats: () => counters.stats(),
    sessionOpened(session: SessionStart) {
      counters.opened(session);
      if (info) log.info("ws.open", openFields(session));
    },
    sessionClosed(session: SessionEnd) {
      counters.closed(session);
      if (info) log.info("ws.close", closeFields(session));
    },
    rejected(rejection: Rejection) {
      counters.rejected[rejection.reason]++;
      if (info) log.info("ws.reject", rejectFields(rejection));
    },
    requestEnded(request: RequestEnd) {
      counters.requestEnded(request);
      // It has its line.
      if (request.failed) return;
      if (request.broken !== "") log.info("http.broken", requestFields(request));
      else if (debug) log.debug("http.request", requestFields(request));
    },
    handshakeFailed(refusal: Refusal) {
      counters.handshakeFailures[refusal.kind]++;
      refused(refusal);
    },
    backendChanged(backend: string, up: boolean, reason: string) {
      if (up) log.info("backend.up", { backend });
      else log.warning("backend.down", { backend, reason });
    },
    failed(stage: ErrorStage, message: string, client: string) {
      counters.errors[stage]++;
      log.warning("ws.error", { stage, message, client: client || null });
    },
    connectionOpened(http: HttpVersion) {
      counters.activeConnections[http]++;
      counters.connections[http]++;
      if (debug) log.debug("connection.open", { http });
    },
    connectionClosed(http: HttpVersion, end: ConnectionEnd) {
      counters.activeConnections[http]--;
      if (debug) log.debug("connection.close", connectionFields(http, end));
    },
    prerequestClose(reason) {
      counters.prerequestCloses[reason]++;
      if (debug) log.debug("connection.no_request", { reason });
    },
    bug(where, error) {
      log.error("bug", { where, ...errorFields(error) });
    },
  };
}

function openFields(session: SessionStart): Fields {
  const { id, http, client, authority, path, backend, subprotocol, handshakeMs } = session;
  return {
    id,
    http,
    protocol: session.protocol,
    client,
    authority,
    path,
    backend,
    subprotocol,
    handshakeMs: tenth(handshakeMs),
  };
}

function closeFields(session: SessionEnd): Fields {
  const { id, by, code, reason, durationMs, toBackend, toClient } = session;
  return {
    id,
    by,
    code,
    reason: reason || null,
    durationMs: tenth(durationMs),
    toBackendBytes: toBackend.bytes,
    toBackendMessages: toBackend.messages,
    toBackendFrames: toBackend.frames,
    toClientBytes: toClient.bytes,
    toClientMessages: toClient.messages,
    toClientFrames: toClient.frames,
    http: session.http,
    protocol: session.protocol,
    client: session.client,
    authority: session.authority,
    path: session.path,
    backend: session.backend,
    subprotocol: session.subprotocol,
  };
}

function rejectFields({ reason, status, path, client, message }: Rejection): Fields {
  return {
    reason,
    status,
    path: path || null,
    client: client || null,
    message: message || null,
  };
}

function requestFields({ durationMs, broken, path, ...request }: RequestEnd): Fields {
  return { ...request, path, durationMs: tenth(durationMs), broken: broken || null };
}

function connectionFields(http: HttpVersion, end: ConnectionEnd): Fields {
  const { code, reason, byPeer, durationMs } = end;
  return {
    http,
    by: byPeer ? "client" : "proxy",
    code,
    reason: reason || null,
    durationMs: tenth(durationMs),
  };
}

/** What is told of something that was thrown. */
export function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return { message: Deno.inspect(error), stack: null };
  return { message: error.message, stack: error.stack ?? null };
}

/** As it is logged. */
export function tenth(ms: number): number {
  return Math.round(ms * 10) / 10;
}
