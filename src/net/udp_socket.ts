import type { Endpoint } from "../protocol/wire/ip.ts";
import { toNetError } from "./error.ts";

/** What came, and from where. */
export interface Received {
  /** Valid until the next `receive`. */
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
}

const MAX_PACKET_BYTES = 65_536;
/** What the system could not do now it may do a little later. */
const PAUSE_MS = 100;

/** A UDP port that is open to anybody. */
export class UdpSocket {
  readonly #socket: Deno.DatagramConn;
  readonly #buffer = new Uint8Array(MAX_PACKET_BYTES);
  #closed = false;

  /** Binds at once; throws `NetError` when the port is taken or the address is not ours. */
  constructor({ hostname, port }: { hostname: string; port: number }) {
    try {
      this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    } catch (error) {
      throw toNetError(error);
    }
  }

  get address(): string {
    return (this.#socket.addr as Deno.NetAddr).hostname;
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  /** The next datagram; `null` once it is closed. One at a time. Never rejects. */
  async receive(): Promise<Received | null> {
    while (!this.#closed) {
      try {
        const [bytes, from] = await this.#socket.receive(this.#buffer);
        const { hostname, port } = from as Deno.NetAddr;
        return { bytes, from: { address: hostname, port } };
      } catch {
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
    return null;
  }

  /** A datagram that can't be sent is lost, as any may be. Never rejects. */
  async send(bytes: Uint8Array, { address, port }: Endpoint): Promise<void> {
    if (this.#closed) return;
    await this.#socket.send(bytes, { transport: "udp", hostname: address, port }).catch(() => {});
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}
