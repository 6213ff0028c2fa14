// A network between a client and the proxy that can be cut.
export interface UdpRelay extends AsyncDisposable {
  readonly port: number;
  /** From now on nothing passes, either way. */
  cut(): void;
}

const LOCAL = { hostname: "127.0.0.1", port: 0, transport: "udp" } as const;

/**
 * Passes datagrams on to that port of this machine, and back. With `firstOnly`, just the first one
 * of each client's, and nothing back.
 */
export function startUdpRelay(port: number, { firstOnly = false } = {}): UdpRelay {
  const target: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
  const front = Deno.listenDatagram(LOCAL);
  const backs = new Map<string, Deno.DatagramConn>();
  const loops: Promise<void>[] = [];
  let cut = false;
  const back = (client: Deno.NetAddr) => {
    const socket = Deno.listenDatagram(LOCAL);
    loops.push(each(socket, async (data) => {
      if (!cut && !firstOnly) await front.send(data, client);
    }));
    return socket;
  };
  loops.push(each(front, async (data, from) => {
    const client = from as Deno.NetAddr;
    const known = backs.get(`${client.port}`);
    if (cut || (firstOnly && known !== undefined)) return;
    const socket = known ?? back(client);
    backs.set(`${client.port}`, socket);
    await socket.send(data, target);
  }));
  return {
    port: (front.addr as Deno.NetAddr).port,
    cut() {
      cut = true;
    },
    async [Symbol.asyncDispose]() {
      front.close();
      for (const socket of backs.values()) socket.close();
      await Promise.all(loops);
    },
  };
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
