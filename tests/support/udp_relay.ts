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
  /** It does again. */
  restore(): void;
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
  const way = delayed(options);
  let cut = false;
  const nat = natOf(async (data, client) => {
    if (!cut && !firstOnly) await way.pass("server", () => front.send(data, client));
  });
  const loop = each(front, async (data, from) => {
    const client = from as Deno.NetAddr;
    if (cut || (firstOnly && nat.knows(client)) || loses?.(data.length)) return;
    if (!nat.knows(client)) nat.bind(client);
    // Where it is sent from is up to when it leaves.
    await way.pass("client", () => nat.socketOf(client).send(data, target));
  });
  return {
    port: (front.addr as Deno.NetAddr).port,
    sourcePorts: nat.sourcePorts,
    get clients() {
      return nat.clients;
    },
    cut() {
      cut = true;
    },
    restore() {
      cut = false;
    },
    rebind: nat.rebind,
    async [Symbol.asyncDispose]() {
      way.stop();
      front.close();
      await Promise.all([loop, nat.close()]);
    },
  };
}

/** A socket for each client; `back` takes what comes to it. */
function natOf(back: (data: Uint8Array, client: Deno.NetAddr) => Promise<void>) {
  const bound = new Map<string, { client: Deno.NetAddr; socket: Deno.DatagramConn }>();
  const sourcePorts: number[] = [];
  const loops: Promise<void>[] = [];
  const bind = (client: Deno.NetAddr) => {
    const socket = Deno.listenDatagram(LOCAL);
    sourcePorts.push((socket.addr as Deno.NetAddr).port);
    loops.push(each(socket, (data) => back(data, client)));
    bound.set(`${client.port}`, { client, socket });
  };
  return {
    sourcePorts,
    get clients() {
      return bound.size;
    },
    knows: ({ port }: Deno.NetAddr) => bound.has(`${port}`),
    socketOf: ({ port }: Deno.NetAddr) => bound.get(`${port}`)!.socket,
    bind,
    rebind() {
      for (const { client, socket } of [...bound.values()]) {
        bind(client);
        socket.close();
      }
    },
    async close() {
      for (const { socket } of bound.values()) socket.close();
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
