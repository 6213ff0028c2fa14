import { SIZE_BUCKETS, type SizeHistogram, type Traffic } from "../protocol/websocket/traffic.ts";
import { type Buckets, type MetricSpec, registerHistogram, type Series } from "./buckets.ts";
import type { Counters } from "./counters.ts";
import type { Registry } from "./registry.ts";

/** What stands before the name of every metric. */
export const PREFIX = "h3ws_proxy_";

const TO_BACKEND = "h3_to_h1";
const TO_CLIENT = "h1_to_h3";

type Reading = [labels: Record<string, string>, value: number];

interface ReadSpec extends MetricSpec {
  labelNames?: string[];
  registry: Registry;
}

/** Registers a counter that is counted elsewhere: `read` is called at each scrape. */
export function registerCounter(
  { registry, ...spec }: ReadSpec,
  read: () => Iterable<Reading>,
): void {
  registry.add(spec.name, ({ Counter }, registry) => {
    new Counter({
      ...spec,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  });
}

/** Registers a gauge that is measured at each scrape. */
export function registerGauge(
  { registry, ...spec }: ReadSpec,
  read: () => Iterable<Reading>,
): void {
  registry.add(spec.name, ({ Gauge }, registry) => {
    new Gauge({
      ...spec,
      registers: [registry],
      collect() {
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  });
}

/** Registers all metrics of sessions, connections and traffic. Names clash if called twice. */
export function registerMetrics(registry: Registry, counters: Counters): void {
  registerSessions(registry, counters);
  registerSessionHistograms(registry, counters);
  registerConnections(registry, counters);
  registerRequests(registry, counters);
  registerTraffic(registry, counters);
  registerMessageSizes(registry, counters);
}

function registerSessions(registry: Registry, counters: Counters): void {
  const spec = (name: string, help: string, ...labelNames: string[]) => (
    { registry, name: PREFIX + name, help, labelNames }
  );
  registerGauge(
    spec("active_sessions", "Sessions that are open now"),
    () => [[{}, counters.active]],
  );
  registerCounter(spec("accepted_total", "Sessions opened"), () => [[{}, counters.accepted]]);
  registerCounter(
    spec("rejected_total", "Requests for a session that were refused", "reason"),
    () => byLabel("reason", counters.rejected),
  );
  registerCounter(
    spec("errors_total", "Failures, by where they happened", "stage"),
    () => byLabel("stage", counters.errors),
  );
  registerCounter(
    spec("closes_total", "Sessions ended, by close code and by who ended them", "code", "by"),
    () => closes(counters),
  );
}

function* closes({ closes }: Counters): Iterable<Reading> {
  for (const [by, codes] of closes) {
    for (const [code, value] of codes) yield [{ code, by }, value];
  }
}

function registerSessionHistograms(registry: Registry, counters: Counters): void {
  registerHistogram(registry, {
    name: `${PREFIX}handshake_seconds`,
    help: "From a request for a session to its answer",
  }, () => [series({}, counters.handshakeSeconds)]);
  registerHistogram(registry, {
    name: `${PREFIX}session_duration_seconds`,
    help: "How long sessions were open",
  }, () => [series({}, counters.durationSeconds)]);
  registerHistogram(registry, {
    name: `${PREFIX}session_traffic_bytes`,
    help: "Bytes that passed through each session, by direction",
  }, () => [
    series({ dir: TO_BACKEND }, counters.sessionBytesToBackend),
    series({ dir: TO_CLIENT }, counters.sessionBytesToClient),
  ]);
}

function registerConnections(registry: Registry, counters: Counters): void {
  registerGauge({
    registry,
    name: `${PREFIX}active_connections`,
    help: "Connections from clients that are open now",
    labelNames: ["http"],
  }, () => byLabel("http", counters.activeConnections));
  registerCounter({
    registry,
    name: `${PREFIX}connections_total`,
    help: "Connections from clients",
    labelNames: ["http"],
  }, () => byLabel("http", counters.connections));
  registerCounter({
    registry,
    name: `${PREFIX}prerequest_close_total`,
    help: "Connections that ended before a request was read",
    labelNames: ["reason"],
  }, () => byLabel("reason", counters.prerequestCloses));
  registerCounter({
    registry,
    name: `${PREFIX}tcp_handshake_failures_total`,
    help: "TCP connections that ended before they could bring a request",
    labelNames: ["reason"],
  }, () => byLabel("reason", counters.handshakeFailures));
}

function registerRequests(registry: Registry, counters: Counters): void {
  registerCounter(
    {
      registry,
      name: `${PREFIX}requests_total`,
      help: "Ordinary requests that have ended, answered by a backend or by the proxy itself",
      labelNames: ["http", "status"],
    },
    () =>
      Object.entries(counters.requests).flatMap(([http, classes]) =>
        Object.entries(classes).map(([status, count]): Reading => [{ http, status }, count])
      ),
  );
  registerCounter({
    registry,
    name: `${PREFIX}request_bytes_total`,
    help: "Bytes of content of ordinary requests and their answers",
    labelNames: ["dir"],
  }, () => [
    [{ dir: "to_backend" }, counters.requestBytes],
    [{ dir: "to_client" }, counters.responseBytes],
  ]);
}

function registerTraffic(registry: Registry, counters: Counters): void {
  const spec = (name: string, help: string, ...labelNames: string[]) => (
    { registry, name: PREFIX + name, help, labelNames }
  );
  const { toBackend, toClient } = counters;
  const ways: [string, Traffic][] = [[TO_BACKEND, toBackend], [TO_CLIENT, toClient]];
  registerCounter(
    spec("bytes_total", "Bytes of WebSocket frames passed on", "dir"),
    () => ways.map(([dir, traffic]) => [{ dir }, traffic.bytes]),
  );
  registerCounter(
    spec("messages_total", "Messages passed on to their last byte", "dir", "type"),
    () =>
      ways.flatMap(([dir, traffic]): Reading[] => [
        [{ dir, type: "text" }, traffic.messagesText],
        [{ dir, type: "binary" }, traffic.messagesBinary],
      ]),
  );
  registerCounter(
    spec("frames_total", "Frames passed on", "dir", "opcode"),
    () => ways.flatMap(([dir, traffic]) => frames(dir, traffic)),
  );
  registerCounter(
    spec("control_frames_total", "Control frames passed on, both directions", "type"),
    () => [
      [{ type: "ping" }, toBackend.framePing + toClient.framePing],
      [{ type: "pong" }, toBackend.framePong + toClient.framePong],
      [{ type: "close" }, toBackend.frameClose + toClient.frameClose],
    ],
  );
  registerCounter(
    spec("oversize_drops_total", "Frames and messages refused for their size", "kind"),
    () => [
      [{ kind: "frame" }, toBackend.oversizeFrames + toClient.oversizeFrames],
      [{ kind: "message" }, toBackend.oversizeMessages + toClient.oversizeMessages],
    ],
  );
}

function frames(dir: string, traffic: Traffic): Reading[] {
  return [
    [{ dir, opcode: "text" }, traffic.frameText],
    [{ dir, opcode: "binary" }, traffic.frameBinary],
    [{ dir, opcode: "cont" }, traffic.frameCont],
    [{ dir, opcode: "ping" }, traffic.framePing],
    [{ dir, opcode: "pong" }, traffic.framePong],
    [{ dir, opcode: "close" }, traffic.frameClose],
  ];
}

function registerMessageSizes(registry: Registry, { toBackend, toClient }: Counters): void {
  const sizes = (dir: string, type: string, { buckets, sum }: SizeHistogram): Series => (
    { labels: { dir, type }, bounds: SIZE_BUCKETS, counts: buckets, sum }
  );
  registerHistogram(registry, {
    name: `${PREFIX}message_size_bytes`,
    help: "Payload bytes of messages over all their fragments",
  }, () => [
    sizes(TO_BACKEND, "text", toBackend.sizesText),
    sizes(TO_BACKEND, "binary", toBackend.sizesBinary),
    sizes(TO_CLIENT, "text", toClient.sizesText),
    sizes(TO_CLIENT, "binary", toClient.sizesBinary),
  ]);
}

function series(labels: Record<string, string>, { bounds, counts, sum }: Buckets): Series {
  return { labels, bounds, counts, sum };
}

function byLabel(label: string, values: Record<string, number>): Reading[] {
  return Object.entries(values).map(([value, count]) => [{ [label]: value }, count]);
}
