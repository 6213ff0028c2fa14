// The proxy in the test's own process, with an observer that keeps what it is told. When a test is
// over it must have left nothing behind: that is checked here, for every test.
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import { configuredOptions } from "../../src/config/proxy_options.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import type { Dialer, TlsClientOptions } from "../../src/net/dial.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { CloseCode, isCloseCodeOnWire } from "../../src/protocol/websocket/close.ts";
import { Traffic } from "../../src/protocol/websocket/traffic.ts";
import type { BackendTarget } from "../../src/proxy/backend.ts";
import type {
  ConnectionEnd,
  HttpVersion,
  Observer,
  PrerequestCloseReason,
  Rejection,
  RequestEnd,
  SessionEnd,
  SessionStart,
} from "../../src/proxy/observer.ts";
import type { Refusal } from "../../src/net/accepted.ts";
import type { Proxy, ProxyOptions } from "../../src/proxy/options.ts";
import { startProxy } from "../../src/proxy/proxy.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { type BackendConn, RawBackend, type RawBackendOptions } from "./backend.ts";
import { socketsHeldTo } from "./held_sockets.ts";
import { type Pseudo, RawClient, type RawConnectOptions, type RawStream } from "./raw_h3.ts";
import { until } from "./until.ts";

/** Keeps all that the proxy tells. */
export class Recorder implements Observer {
  readonly opened: SessionStart[] = [];
  readonly closed: SessionEnd[] = [];
  readonly rejections: { reason: string; status: number; path: string }[] = [];
  /** What was wrong with each of them. */
  readonly rejectedFor: string[] = [];
  readonly failures: { stage: string; message: string }[] = [];
  readonly connectionEnds: ConnectionEnd[] = [];
  readonly prerequest: PrerequestCloseReason[] = [];
  readonly bugs: string[] = [];
  readonly toBackend: Traffic = new Traffic();
  readonly toClient: Traffic = new Traffic();

  sessionOpened(session: SessionStart): void {
    this.opened.push(session);
  }

  sessionClosed(session: SessionEnd): void {
    this.closed.push(session);
  }

  rejected({ reason, status, path, message }: Rejection): void {
    this.rejections.push({ reason, status, path });
    this.rejectedFor.push(message);
  }

  failed(stage: string, message: string): void {
    this.failures.push({ stage, message });
  }

  readonly requests: RequestEnd[] = [];
  readonly handshakeFailures: Refusal[] = [];
  readonly backends: { url: string; up: boolean }[] = [];

  requestEnded(request: RequestEnd): void {
    this.requests.push(request);
  }

  handshakeFailed(refusal: Refusal): void {
    this.handshakeFailures.push(refusal);
  }

  backendChanged(url: string, up: boolean): void {
    this.backends.push({ url, up });
  }

  connectionOpened(): void {}

  connectionClosed(_http: HttpVersion, info: ConnectionEnd): void {
    this.connectionEnds.push(info);
  }

  prerequestClose(reason: PrerequestCloseReason): void {
    this.prerequest.push(reason);
  }

  bug(where: string, error: unknown): void {
    this.bugs.push(`${where}: ${error instanceof Error ? error.stack : String(error)}`);
  }

  /** How the one session ended. */
  async end(): Promise<Pick<SessionEnd, "by" | "code" | "reason">> {
    await until("the record of a session's end", () => this.closed.length > 0);
    assert.equal(this.closed.length, 1, "one record for one session");
    const { by, code, reason } = this.closed[0];
    return { by, code, reason };
  }
}

/** How often sweepers look while the end of all is waited for: else each test waits for a second. */
const IDLE_SWEEP_MS = 20;

// Every sweeper that had something to do: when all has ended, none has anything left.
const sweepers = new Set<Sweeper>();
const add = Sweeper.prototype.add;
Sweeper.prototype.add = function (entry) {
  sweepers.add(this);
  return add.call(this, entry);
};

function sweptEntries(): number {
  return [...sweepers].reduce((sum, sweeper) => sum + sweeper.size, 0);
}

let certificates: Promise<Certificates> | null = null;

/** One CA and leaf for `localhost` and 127.0.0.1, made once for a test file. */
export function testCertificates(): Promise<Certificates> {
  return certificates ??= makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
}

export interface TestProxyOptions extends Partial<Omit<ProxyOptions, "backend">> {
  backend?: Partial<BackendTarget>;
  /** How the backend is dialled: TLS. */
  dialTls?: TlsClientOptions;
  /** The same by another way than the network's. */
  dialer?: Dialer;
  /** How the backend listens. */
  backendListen?: RawBackendOptions;
}

/** What a test has at hand. */
export interface TestProxy {
  readonly proxy: Proxy;
  readonly backend: RawBackend;
  readonly seen: Recorder;
  /** A connection that is closed when the test is over. */
  connect(options?: Partial<RawConnectOptions>): Promise<RawClient>;
  /** An open session, seen from both of its ends. */
  open(pseudo?: Pseudo, fields?: readonly Field[], lines?: readonly string[]): Promise<Opened>;
  /** Waits until nothing is left of any session or request. */
  idle(): Promise<void>;
}

export interface Opened {
  quic: RawClient;
  client: RawStream;
  backend: BackendConn;
}

/** Runs `body` with a proxy before a scripted backend, and checks that nothing is left. */
export async function withProxy(
  options: TestProxyOptions,
  body: (t: TestProxy) => Promise<void>,
): Promise<void> {
  const { backend: target, backendListen, dialTls, dialer, ...rest } = options;
  const { caPem, certPem, keyPem } = await testCertificates();
  const backend = await RawBackend.listen(backendListen);
  const seen = new Recorder();
  const clients: RawClient[] = [];
  const config = readProxyConfig({ listen: "127.0.0.1:0", path: "/ws" });
  let proxy: Proxy | null = null;
  try {
    proxy = await startProxy({
      ...configuredOptions(config),
      // Most tests are of HTTP/3.
      ...{ tcp: false, upgrades: ["websocket"] },
      certPem,
      keyPem,
      observer: seen,
      ...rest,
      backend: {
        dial: {
          ...{ hostname: "127.0.0.1", port: backend.port },
          ...{ unixPath: backendListen?.unixPath, tls: dialTls, dialer },
        },
        url: `ws://127.0.0.1:${backend.port}`,
        host: null,
        path: null,
        maxHeaderBytes: config.maxHeaderBytes,
        ...target,
      },
    });
    const t = testProxy({ proxy, backend, seen, clients, caPem });
    await body(t);
    // While the clients are still connected: what ends only with them was left behind.
    await t.idle();
    check(seen);
  } finally {
    for (const client of clients) client.close();
    await proxy?.stop();
    await Promise.all(clients.map((client) => client.quic.closed));
    await backend.close();
    sweepers.clear();
  }
  assert.deepEqual(seen.bugs, [], "the proxy tells of bugs of its own");
}

function testProxy(
  parts: Pick<TestProxy, "proxy" | "backend" | "seen"> & { clients: RawClient[]; caPem: string },
): TestProxy {
  const { proxy, backend, seen, clients, caPem } = parts;
  // What listens has an entry for as long as it does.
  const listening = sweptEntries();
  const connect = async (options: Partial<RawConnectOptions> = {}) => {
    const client = await RawClient.connect({ port: proxy.port, caCerts: [caPem], ...options });
    clients.push(client);
    return client;
  };
  return {
    ...{ proxy, backend, seen, connect },
    async open(pseudo, fields, lines) {
      const quic = clients.at(-1) ?? await connect();
      const client = await quic.connectWs(pseudo, fields);
      const conn = await backend.upgrade(lines);
      const { status } = await client.response();
      assert.equal(status, 200);
      return { quic, client, backend: conn };
    },
    async idle() {
      for (const sweeper of sweepers) sweeper.quicken(IDLE_SWEEP_MS);
      const left = () => {
        // A connection that is idle has a deadline.
        const entries = sweptEntries() - listening - proxy.connections;
        const sockets = backend.port === 0 ? 0 : socketsHeldTo(backend.port);
        return { sessions: proxy.sessions, entries, sockets };
      };
      await until(
        "no session, deadline and backend socket",
        // Below it where a drain has ended what listens.
        () => Object.values(left()).every((count) => count <= 0),
      ).catch((error) => {
        throw new Error(`${error.message}; left: ${JSON.stringify(left())}`);
      });
    },
  };
}

/** What holds of every session, however it ended. */
function check(seen: Recorder): void {
  assert.deepEqual(seen.bugs, [], "the proxy tells of bugs of its own");
  const ids = (list: readonly SessionStart[]) => list.map(({ id }) => id).sort((a, b) => a - b);
  assert.deepEqual(ids(seen.closed), ids(seen.opened), "one record for each session");
  for (const { code } of seen.closed) {
    const told = isCloseCodeOnWire(code) || code === CloseCode.NO_STATUS_RECEIVED ||
      code === CloseCode.ABNORMAL_CLOSURE;
    assert.ok(told, `close code ${code} in a record`);
  }
}
