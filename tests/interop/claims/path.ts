// A server and its clients with a network between them that delays and loses, and counts.
import { makeCertificates } from "../../../src/cli/certificates.ts";
import { type ConnectOptions, connectWebSocket } from "../../../src/client/connect.ts";
import { Connections } from "../../../src/client/connections.ts";
import type { Socket } from "../../../src/endpoint/socket.ts";
import type { HttpVersion } from "../../../src/ingress/offer.ts";
import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import { serve } from "../../../src/server/server.ts";
import { PacketPath } from "../../support/packet_path.ts";
import { Rounds } from "../../support/rounds.ts";
import { seededRandom } from "../../support/seeded.ts";
import { startTcpRelay } from "../../support/tcp_relay.ts";
import { startUdpRelay } from "../../support/udp_relay.ts";

/**
 * "relay": of datagrams, and of the bytes of TCP, whose losses are modelled. "packets": a tun device in
 * a network namespace of its own, so TCP is the kernel's.
 */
export type PathKind = "relay" | "packets";

/** What the network does, and what it saw. */
export interface Path {
  /** Counts round trips anew. */
  reset(): Promise<void>;
  /** Round trips that the client heard back of. */
  trips(): Promise<number>;
  /** From now on so many of all packets with a message are lost on their way to the server. */
  loseShare(share: number, seed: number): Promise<void>;
  /** The next packet with a message is lost on its way to the server, and no more. */
  loseNext(): Promise<void>;
  /** The sizes of what was lost since this was last asked. */
  lost(): Promise<number[]>;
  /** Round trips of TCP's own handshake that `trips` can't see. */
  readonly hiddenTrips: number;
}

/** What a measurement has at hand. */
export interface Ground {
  readonly path: Path;
  /** Opens a socket; all of them share their connections, as the version has it. */
  connect(): Promise<Socket>;
}

/** What is measured where. */
export interface MeasureOptions {
  kind: PathKind;
  http: HttpVersion;
}

export interface GroundOptions extends MeasureOptions {
  /** Each way. */
  delayMs: number;
  handler: WebSocketHandler;
}

/** Datagrams with less hold acknowledgements and the like: the messages are longer. */
const MIN_DATAGRAM_BYTES = 90;
/** In a namespace of its own any port is free; that of a closed server stays taken for a while. */
let lastPort = 8442;

/** Gives what `body` gives, and takes everything down behind it. */
export async function onGround<T>(
  options: GroundOptions,
  body: (ground: Ground) => Promise<T>,
): Promise<T> {
  const { kind, http, delayMs, handler } = options;
  const ownPort = ++lastPort;
  await using path = kind === "packets" ? await PacketPath.start(ownPort, delayMs) : new Relay();
  const hosts = ["127.0.0.1", path.hostname];
  const { caPem, certPem, keyPem } = await makeCertificates({ hosts, days: 1 });
  const listen = { hostname: path.near, port: kind === "packets" ? ownPort : 0 };
  const server = await serve({ listen, certPem, keyPem }, handler);
  using connections = new Connections();
  try {
    const port = path instanceof Relay ? path.start(server.port!, options) : ownPort;
    const url = `wss://${path.hostname}:${port}/`;
    const at: ConnectOptions = { httpVersion: http, caCerts: [caPem], connections };
    return await body({ path, connect: () => connectWebSocket(url, at) });
  } finally {
    await server.stop();
  }
}

/** The relays of the tests as a path. */
class Relay implements Path, AsyncDisposable {
  readonly hostname = "127.0.0.1";
  readonly near = "127.0.0.1";
  readonly #rounds = new Rounds();
  #relay: ({ port: number } & AsyncDisposable) | null = null;
  #http: HttpVersion = "3";
  #loses: () => boolean = () => false;
  #lost: number[] = [];

  start(port: number, { http, delayMs }: GroundOptions): number {
    this.#http = http;
    const rounds = this.#rounds;
    const minBytes = http === "3" ? MIN_DATAGRAM_BYTES : 1;
    const loses = (bytes: number) => {
      if (bytes < minBytes || !this.#loses()) return false;
      this.#lost.push(bytes);
      return true;
    };
    const startRelay = http === "3" ? startUdpRelay : startTcpRelay;
    this.#relay = startRelay(port, { delayMs, rounds, loses });
    return this.#relay.port;
  }

  /** RFC 9293 §3.5: its three-way handshake takes one, which a relay of bytes ends by itself. */
  get hiddenTrips(): number {
    return this.#http === "3" ? 0 : 1;
  }

  reset(): Promise<void> {
    return Promise.resolve(this.#rounds.reset());
  }

  trips(): Promise<number> {
    return Promise.resolve(this.#rounds.trips);
  }

  loseShare(share: number, seed: number): Promise<void> {
    const random = seededRandom(seed);
    this.#loses = () => random() < share;
    return Promise.resolve();
  }

  loseNext(): Promise<void> {
    let left = 1;
    this.#loses = () => left-- > 0;
    return Promise.resolve();
  }

  lost(): Promise<number[]> {
    const lost = this.#lost;
    this.#lost = [];
    return Promise.resolve(lost);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#relay?.[Symbol.asyncDispose]();
  }
}
