import type { RefusalKind } from "../net/accepted.ts";
import { CloseCode } from "../protocol/websocket/close.ts";
import { Traffic } from "../protocol/websocket/traffic.ts";
import type {
  EndedBy,
  ErrorStage,
  HttpVersion,
  PrerequestCloseReason,
  RejectReason,
  RequestEnd,
  SessionEnd,
  SessionStart,
} from "../proxy/observer.ts";
import { Buckets, doubling } from "./buckets.ts";

const HANDSHAKE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DURATION_SECONDS = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
const SESSION_BYTES = doubling(512, 19);

const NAMED_CODES: ReadonlySet<number> = new Set(Object.values(CloseCode));
const WIRE_CODES = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1013, 1014]
  .map(String).concat("3xxx", "4xxx");

/** The series of closes that are there from the start, so that a rate over them works. */
const FIRST_CLOSES: Readonly<Record<EndedBy, readonly string[]>> = {
  client: WIRE_CODES,
  backend: WIRE_CODES,
  "proxy:limit": ["1009"],
  "proxy:idle": ["1001"],
  "proxy:slow": ["1008"],
  "proxy:drain": ["1001"],
  "proxy:error": ["1002", "1007", "1011", "1014"],
  "proxy:ping": ["1001"],
  "proxy:reload": ["1012"],
};

/**
 * The label of a close code. A peer chooses the code, so the labels are bounded: the codes that
 * RFC 6455 and IANA name stand for themselves, the others for their thousand.
 */
export function closeCodeLabel(code: number): string {
  if (NAMED_CODES.has(code)) return String(code);
  return code >= 1000 && code <= 4999 ? `${Math.floor(code / 1000)}xxx` : "other";
}

/** What `/stats` tells. */
export interface Stats {
  /** Sessions that were opened or refused, and ordinary requests, whoever answered them. */
  totalRequests: number;
  /** Connections from clients that are open now. */
  activeConnections: number;
  /** Sessions that are open now. */
  websocketConnections: number;
  /** Connections by HTTP/2 that are open now. */
  http2Connections: number;
  /** Connections by HTTP/3 that are open now. */
  http3Connections: number;
  /** Bytes of tunnels and of content, both ways. */
  bytesTransferred: number;
}

/** All that one observer counts, in plain numbers; the metrics read it at a scrape. */
export class Counters {
  readonly toBackend: Traffic = new Traffic();
  readonly toClient: Traffic = new Traffic();
  active = 0;
  accepted = 0;
  readonly rejected: Record<RejectReason, number> = {
    max_conns: 0,
    max_connections: 0,
    method: 0,
    path: 0,
    address: 0,
    bad_headers: 0,
    header_size: 0,
    protocol: 0,
    origin: 0,
    authorize: 0,
    backend: 0,
    draining: 0,
  };
  readonly errors: Record<ErrorStage, number> = {
    no_stream_takeover: 0,
    authorize: 0,
    backend_dial: 0,
    backend_handshake: 0,
    session: 0,
    h3_framing: 0,
    http_framing: 0,
  };
  readonly prerequestCloses: Record<PrerequestCloseReason, number> = {
    request_stream_invalid_first_frame_or_headers: 0,
    no_bidi_request_stream: 0,
    no_h3_stream_activity: 0,
    stream_activity_without_request: 0,
  };
  readonly activeConnections: Record<HttpVersion, number> = { "1.1": 0, "2": 0, "3": 0 };
  readonly connections: Record<HttpVersion, number> = { "1.1": 0, "2": 0, "3": 0 };
  /** TCP connections that did not come to be, by why. */
  readonly handshakeFailures: Record<RefusalKind, number> = {
    full: 0,
    timeout: 0,
    tls: 0,
    proxy_protocol: 0,
    lost: 0,
    accept: 0,
  };
  /** Ordinary requests that have ended, by version, then by the class of their status. */
  readonly requests: Record<HttpVersion, Record<StatusClass, number>> = {
    "1.1": noRequests(),
    "2": noRequests(),
    "3": noRequests(),
  };
  requestBytes = 0;
  responseBytes = 0;
  /** By who ended the session, then by the label of the code. */
  readonly closes: Map<EndedBy, Map<string, number>> = firstCloses();
  readonly handshakeSeconds: Buckets = new Buckets(HANDSHAKE_SECONDS);
  readonly durationSeconds: Buckets = new Buckets(DURATION_SECONDS);
  readonly sessionBytesToBackend: Buckets = new Buckets(SESSION_BYTES);
  readonly sessionBytesToClient: Buckets = new Buckets(SESSION_BYTES);

  /** The statistics in short. */
  stats(): Stats {
    const { activeConnections, toBackend, toClient, rejected } = this;
    const refused = Object.values(rejected).reduce((sum, count) => sum + count, 0);
    const ordinary = Object.values(this.requests)
      .flatMap((classes) => Object.values(classes))
      .reduce((sum, count) => sum + count, 0);
    return {
      totalRequests: this.accepted + refused + ordinary,
      activeConnections: activeConnections["1.1"] + activeConnections["2"] + activeConnections["3"],
      websocketConnections: this.active,
      http2Connections: activeConnections["2"],
      http3Connections: activeConnections["3"],
      bytesTransferred: toBackend.bytes + toClient.bytes + this.requestBytes + this.responseBytes,
    };
  }

  opened(session: SessionStart): void {
    this.active++;
    this.accepted++;
    this.handshakeSeconds.observe(session.handshakeMs / 1000);
  }

  requestEnded(request: RequestEnd): void {
    const statusClass = STATUS_CLASSES[Math.floor(request.status / 100)] ?? "5xx";
    this.requests[request.http][statusClass]++;
    this.requestBytes += request.toBackendBytes;
    this.responseBytes += request.toClientBytes;
  }

  closed(session: SessionEnd): void {
    this.active--;
    this.durationSeconds.observe(session.durationMs / 1000);
    this.sessionBytesToBackend.observe(session.toBackend.bytes);
    this.sessionBytesToClient.observe(session.toClient.bytes);
    const codes = this.closes.get(session.by)!;
    const label = closeCodeLabel(session.code);
    codes.set(label, (codes.get(label) ?? 0) + 1);
  }
}

/** "none" for a client that was gone before it was answered. */
type StatusClass = "1xx" | "2xx" | "3xx" | "4xx" | "5xx" | "none";

const STATUS_CLASSES = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

function noRequests(): Record<StatusClass, number> {
  return { "none": 0, "1xx": 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 };
}

function firstCloses(): Map<EndedBy, Map<string, number>> {
  const closes = new Map<EndedBy, Map<string, number>>();
  for (const [by, codes] of Object.entries(FIRST_CLOSES)) {
    closes.set(by as EndedBy, new Map(codes.map((code) => [code, 0])));
  }
  return closes;
}
