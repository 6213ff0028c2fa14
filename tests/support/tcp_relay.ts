import type { Rounds, Side } from "./rounds.ts";

/**
 * A network between clients and a server by TCP. It carries bytes, not packets: what a loss does to
 * TCP is modelled. A lost segment comes a round trip later, which is the least that RFC 9293 §3.8
 * takes to find out and send it again, and whatever is behind it waits for it (§3.4: in order).
 */
export interface TcpRelay extends AsyncDisposable {
  readonly port: number;
  /** How many connections clients have opened. */
  readonly connections: number;
  /** From now on nothing passes, either way, and nobody is told; new connections get no further. */
  cut(): void;
  /** New connections pass again. Those that were cut never will: their bytes are lost. */
  restore(): void;
}

export interface TcpRelayOptions {
  /** Where clients connect; default any port that is free. */
  listenPort?: number;
  /** How long each way takes; default 0. */
  delayMs?: number;
  /** Whether this segment of a client's is lost. */
  loses?: (bytes: number) => boolean;
  rounds?: Rounds;
}

const HOSTNAME = "127.0.0.1";
/** Of a path with an MTU of 1500 bytes (RFC 9293 §3.7.1). */
const SEGMENT_BYTES = 1440;

/** Passes the bytes of connections on to that port of this machine, and back. */
export function startTcpRelay(port: number, options: TcpRelayOptions = {}): TcpRelay {
  const listener = Deno.listen({ hostname: HOSTNAME, port: options.listenPort ?? 0 });
  const sockets = new Set<Deno.TcpConn>();
  const ways: Promise<void>[] = [];
  let connections = 0;
  let path = { isCut: false };
  const relay = async (client: Deno.TcpConn) => {
    connections++;
    sockets.add(client);
    if (path.isCut) return;
    const server = await Deno.connect({ hostname: HOSTNAME, port });
    sockets.add(server);
    client.setNoDelay(true);
    server.setNoDelay(true);
    ways.push(carry({ from: client, to: server, side: "client", path }, options));
    ways.push(carry({ from: server, to: client, side: "server", path }, options));
  };
  const accepting = (async () => {
    for await (const client of listener) await relay(client).catch(() => close(client));
  })();
  return {
    port: listener.addr.port,
    get connections() {
      return connections;
    },
    cut() {
      path.isCut = true;
    },
    restore() {
      path = { isCut: false };
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      sockets.forEach(close);
      await Promise.all(ways);
    },
  };
}

interface Way {
  from: Deno.TcpConn;
  to: Deno.TcpConn;
  side: Side;
  path: { readonly isCut: boolean };
}

async function carry({ from, to, side, path }: Way, options: TcpRelayOptions): Promise<void> {
  const { delayMs = 0, rounds } = options;
  const loses = side === "client" ? options.loses : undefined;
  const buffer = new Uint8Array(64 * 1024);
  let last = Promise.resolve();
  let lastMs = 0;
  /** Does it in its turn, once it has come that way. */
  const deliver = (atMs: number, act: () => unknown) => {
    lastMs = Math.max(lastMs, atMs);
    const dueMs = lastMs;
    last = last.then(() => at(dueMs)).then(act).then(() => {}, () => close(to));
  };
  for (;;) {
    const count = await from.read(buffer).catch(() => null);
    if (count === null) break;
    if (path.isCut) continue;
    for (let start = 0; start < count; start += SEGMENT_BYTES) {
      const segment = buffer.slice(start, Math.min(count, start + SEGMENT_BYTES));
      const comes = rounds?.leaves(side);
      let atMs = performance.now() + delayMs;
      while (loses?.(segment.length)) atMs += 2 * delayMs;
      deliver(atMs, () => {
        comes?.();
        return write(to, segment);
      });
    }
  }
  if (!path.isCut) deliver(performance.now() + delayMs, () => to.closeWrite());
  await last;
}

function at(dueMs: number): Promise<void> | void {
  const leftMs = dueMs - performance.now();
  if (leftMs > 0) return new Promise((resolve) => setTimeout(resolve, leftMs));
}

async function write(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await to.write(bytes.subarray(done));
}

function close(socket: Deno.TcpConn): void {
  try {
    socket.close();
  } catch {
    // It is closed.
  }
}
