import { isIPv6 } from "node:net";
import type { ByteStream } from "./byte_stream.ts";
import { concat } from "../protocol/wire/bytes.ts";
import { formatAddress, parseIPv6 } from "../protocol/wire/ip.ts";
import { NetError, toNetError } from "./error.ts";

const LENGTH_BYTES = 2;
const EMPTY: Uint8Array = new Uint8Array(0);
/** RFC 768: what the length field of UDP leaves for data, over IPv4. */
export const MAX_DATAGRAM_BYTES = 65_507;

/** A datagram as a byte stream carries it: its length in two bytes, and itself. */
export function frameDatagram(datagram: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(LENGTH_BYTES + datagram.length);
  bytes[0] = datagram.length >> 8;
  bytes[1] = datagram.length & 0xff;
  bytes.set(datagram, LENGTH_BYTES);
  return bytes;
}

/** Takes datagrams out of the bytes that carry them. */
export class DatagramSplitter {
  #held: Uint8Array = EMPTY;

  push(bytes: Uint8Array): void {
    if (this.#held.length === 0) {
      this.#held = bytes;
      return;
    }
    this.#held = concat([this.#held, bytes]);
  }

  /** The next one, a view; `null` when it is not whole yet, and the bytes pushed are done with. */
  next(): Uint8Array | null {
    const held = this.#held;
    const size = held.length < LENGTH_BYTES ? Infinity : LENGTH_BYTES + ((held[0] << 8) | held[1]);
    if (held.length < size) {
      // Those who push bytes only lend them.
      this.#held = held.slice();
      return null;
    }
    this.#held = held.subarray(size);
    return held.subarray(LENGTH_BYTES, size);
  }
}

/** Takes datagrams out of a stream. */
export class DatagramReader {
  readonly #stream: ByteStream;
  readonly #splitter = new DatagramSplitter();

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** The next one, the caller's own; `null` at the end. Throws `NetError` as the stream does. */
  async next(): Promise<Uint8Array | null> {
    for (;;) {
      const datagram = this.#splitter.next();
      if (datagram !== null) return datagram.slice();
      const chunk = await this.#stream.read();
      if (chunk === null) return null;
      this.#splitter.push(chunk);
    }
  }
}

/**
 * A UDP socket that speaks with one peer, as a stream of framed datagrams. What the peer sends while
 * nobody reads is the system's to drop.
 */
export class UdpFlow implements ByteStream {
  readonly headroom = 0;
  readonly #socket: Deno.DatagramConn;
  readonly #peer: Deno.NetAddr;
  readonly #splitter = new DatagramSplitter();
  #closed = false;

  /** Binds at once; throws `NetError`. */
  constructor(peer: { address: string; port: number }) {
    const { address, port } = peer;
    try {
      const hostname = isIPv6(address) ? "::" : "0.0.0.0";
      this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    } catch (error) {
      throw toNetError(error);
    }
    // As the system writes the address that a datagram comes from.
    const ipv6 = parseIPv6(address);
    const hostname = ipv6 === null ? address : formatAddress(ipv6);
    this.#peer = { transport: "udp", hostname, port };
  }

  /** Datagrams of others are dropped. */
  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const came = await this.#socket.receive().catch((error) => {
        if (this.#closed) return null;
        throw toNetError(error);
      });
      if (came === null) return null;
      const [bytes, from] = came;
      const { hostname, port } = this.#peer;
      if (from.transport !== "udp" || from.port !== port || from.hostname !== hostname) continue;
      return frameDatagram(bytes);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#splitter.push(bytes);
    for (let one = this.#splitter.next(); one !== null; one = this.#splitter.next()) {
      await this.#send(one);
    }
  }

  /** A datagram that can't be sent is lost, as any may be. */
  async #send(datagram: Uint8Array): Promise<void> {
    if (this.#closed) throw new NetError("aborted", "closed");
    await this.#socket.send(datagram, this.#peer).catch(() => {});
  }

  /** There is no FIN: who sends no more is done. */
  closeWrite(): Promise<void> {
    this.abort();
    return Promise.resolve();
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
