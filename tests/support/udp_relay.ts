import type { Rounds, Side } from "./rounds.ts";

/** A network between a client and the proxy that can be cut. */
export interface UdpRelay extends AsyncDisposable {
  readonly port: number;
  /** The addresses of clients that sent anything: each is a socket of its own. */
  readonly clients: number;
  /** The ports that the server sees, in the order that they were taken. */
  readonly sourcePorts: readonly number[];
  /** From now on nothing passes, either way. */
  cut(): void;
  /**
   * The server sees each client at a new port from now on, as behind a NAT that forgot it: what
   * still comes to the old one is lost.
   */
  rebind(): void;
}

export interface UdpRelayOptions {
  /** Just the first datagram of each client's passes, and nothing back. */
  firstOnly?: boolean;
  /** How long each way takes; default 0. */
  delayMs?: number;
  /** Whether this datagram of a client's is lost. */
  loses?: (bytes: number) => boolean;
  rounds?: Rounds;
}

const LOCAL = { hostname: "127.0.0.1", port: 0, transport: "udp" } as const;

/** Passes datagrams on to that port of this machine, and back. */
export function startUdpRelay(port: number, options: UdpRelayOptions = {}): UdpRelay {
  const { firstOnly = false, loses } = options;
  const target: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
  const front = Deno.listenDatagram(LOCAL);
  const backs = new Map<string, { client: Deno.NetAddr; socket: Deno.DatagramConn }>();
  const sourcePorts: number[] = [];
  const loops: Promise<void>[] = [];
  const way = delayed(options);
  let cut = false;
  const bind = (client: Deno.NetAddr) => {
    const socket = Deno.listenDatagram(LOCAL);
    sourcePorts.push((socket.addr as Deno.NetAddr).port);
    loops.push(each(socket, async (data) => {
      if (!cut && !firstOnly) await way.pass("server", () => front.send(data, client));
    }));
    backs.set(`${client.port}`, { client, socket });
    return socket;
  };
  loops.push(each(front, async (data, from) => {
    const client = from as Deno.NetAddr;
    const known = backs.get(`${client.port}`);
    if (cut || (firstOnly && known !== undefined) || loses?.(data.length)) return;
    if (known === undefined) bind(client);
    // Where it is sent from is up to when it leaves, as is everything behind a delay.
    await way.pass("client", () => backs.get(`${client.port}`)!.socket.send(data, target));
  }));
  return {
    port: (front.addr as Deno.NetAddr).port,
    sourcePorts,
    get clients() {
      return backs.size;
    },
    cut() {
      cut = true;
    },
    rebind() {
      for (const { client, socket } of [...backs.values()]) {
        bind(client);
        socket.close();
      }
    },
    async [Symbol.asyncDispose]() {
      way.stop();
      front.close();
      for (const { socket } of backs.values()) socket.close();
      await Promise.all(loops);
    },
  };
}

/** A way that takes its time, and what counts on it. */
function delayed({ delayMs = 0, rounds }: UdpRelayOptions) {
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const pass = async (from: Side, send: () => Promise<number>) => {
    const comes = rounds?.leaves(from);
    const sendNow = async () => {
      comes?.();
      await send();
    };
    if (delayMs === 0) return await sendNow();
    const timer = setTimeout(() => {
      timers.delete(timer);
      // As below: a datagram may be lost.
      sendNow().catch(() => {});
    }, delayMs);
    timers.add(timer);
  };
  const stop = () => timers.forEach((timer) => clearTimeout(timer));
  return { pass, stop };
}

async function each(
  socket: Deno.DatagramConn,
  take: (data: Uint8Array, from: Deno.Addr) => Promise<void>,
): Promise<void> {
  for await (const [data, from] of socket) {
    try {
      await take(data, from);
    } catch {
      // A datagram may be lost, and so may one to a socket that is closed.
    }
  }
}
