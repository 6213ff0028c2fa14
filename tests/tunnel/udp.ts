// A client of UDP ASSOCIATE, and targets that answer.
import { concat } from "../../src/protocol/wire/bytes.ts";
import { decodeDatagram, encodeDatagramHeader } from "../../src/protocol/socks5/udp.ts";
import { within } from "../support/within.ts";
import { Raw } from "./raw.ts";

const LOOPBACK = { transport: "udp", hostname: "127.0.0.1", port: 0 } as const;

/** A UDP server that gives back what it gets, turned round. */
export function udpEcho(): { port: number; from: Set<number>; close(): void } {
  const socket = Deno.listenDatagram(LOOPBACK);
  const from = new Set<number>();
  void (async () => {
    for await (const [bytes, addr] of socket) {
      from.add((addr as Deno.NetAddr).port);
      await socket.send(bytes.toReversed(), addr);
    }
  })();
  return { port: (socket.addr as Deno.NetAddr).port, from, close: () => socket.close() };
}

/** An association, and the socket that its client sends from. */
export class Association {
  readonly tcp: Raw;
  readonly socket: Deno.DatagramConn;
  readonly relay: Deno.NetAddr;

  private constructor(tcp: Raw, port: number) {
    this.tcp = tcp;
    this.relay = { ...LOOPBACK, port };
    this.socket = Deno.listenDatagram(LOOPBACK);
  }

  static async open(socksPort: number): Promise<Association> {
    const tcp = await Raw.connect(socksPort);
    // RFC 1928 §4: all zeros, for who does not know yet what it will send from.
    await tcp.send(Uint8Array.of(5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0));
    const reply = (await tcp.bytes(12)).subarray(2);
    const [, code, , type, a, b, c, d, high, low] = reply;
    if (code !== 0 || type !== 1) throw new Error(`UDP ASSOCIATE is answered ${reply}`);
    if ([a, b, c, d].join(".") !== "127.0.0.1") throw new Error(`Bound to ${reply}`);
    return new Association(tcp, (high << 8) | low);
  }

  async send(host: string, port: number, data: Uint8Array): Promise<void> {
    await this.sendRaw(concat([encodeDatagramHeader({ host, port }), data]));
  }

  async sendRaw(bytes: Uint8Array): Promise<void> {
    await this.socket.send(bytes, this.relay);
  }

  /** The next datagram that comes back: "host:port" that it is from, and what is in it. */
  async receive(): Promise<{ from: string; data: Uint8Array }> {
    const [bytes] = await within("a datagram", this.socket.receive(new Uint8Array(65_536)));
    const datagram = decodeDatagram(bytes);
    if (datagram === null) throw new Error(`No datagram of SOCKS5: ${bytes}`);
    return { from: `${datagram.host}:${datagram.port}`, data: datagram.data };
  }

  close(): void {
    this.tcp.close();
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A UDP port that leads to a target through an association, as a client without SOCKS5 needs it. */
export function udpShim(client: Association, { host, port }: { host: string; port: number }) {
  const socket = Deno.listenDatagram(LOOPBACK);
  const askers: Deno.Addr[] = [];
  const there = (async () => {
    for await (const [bytes, from] of socket) {
      askers.push(from);
      await client.send(host, port, bytes);
    }
  })();
  const back = (async () => {
    for await (const [bytes] of client.socket) {
      await socket.send(decodeDatagram(bytes)!.data, askers.shift()!);
    }
  })();
  return {
    port: (socket.addr as Deno.NetAddr).port,
    async close() {
      socket.close();
      client.close();
      await Promise.all([there, back]);
    },
  };
}
