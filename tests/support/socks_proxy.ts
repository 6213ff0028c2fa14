import * as net from "node:net";

export interface SocksProxyPeer extends AsyncDisposable {
  readonly port: number;
  /** Each CONNECT as it came: "user:password host:port", or "host:port". */
  readonly asked: readonly string[];
}

export interface SocksProxyOptions {
  /** The only one that is let in; without it nobody is asked. */
  login?: string;
  /** The reply to every request, in place of a connection. */
  reply?: number;
  /** Where names lead to. */
  hosts?: Readonly<Record<string, string>>;
}

/** A SOCKS5 proxy, byte by byte as RFC 1928 and RFC 1929 have it. */
export async function startSocksProxy(options: SocksProxyOptions = {}): Promise<SocksProxyPeer> {
  const asked: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    keep(client, sockets);
    void serve(client, { options, asked, sockets }).catch(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function keep(socket: net.Socket, sockets: Set<net.Socket>): void {
  sockets.add(socket);
  socket.on("error", () => socket.destroy()).once("close", () => sockets.delete(socket));
}

/** Reads exactly so many bytes, and leaves the rest. */
async function bytes(socket: net.Socket, count: number): Promise<Uint8Array> {
  for (;;) {
    const found: Uint8Array | null = socket.read(count);
    if (found !== null) return found;
    await new Promise<void>((resolve, reject) => {
      socket.once("readable", resolve);
      socket.once("close", () => reject(new Error("the client is gone")));
    });
  }
}

async function text(socket: net.Socket): Promise<string> {
  const [length] = await bytes(socket, 1);
  return length === 0 ? "" : new TextDecoder().decode(await bytes(socket, length));
}

async function serve(
  client: net.Socket,
  { options, asked, sockets }: {
    options: SocksProxyOptions;
    asked: string[];
    sockets: Set<net.Socket>;
  },
): Promise<void> {
  const { login, reply, hosts = {} } = options;
  const [, count] = await bytes(client, 2);
  const method = login === undefined ? 0 : 2;
  if (!(await bytes(client, count)).includes(method)) return void client.end("\x05\xff", "latin1");
  client.write(Uint8Array.of(5, method));
  let who = "";
  if (login !== undefined) {
    await bytes(client, 1);
    who = `${await text(client)}:${await text(client)} `;
    client.write(Uint8Array.of(1, who === `${login} ` ? 0 : 1));
    if (who !== `${login} `) return void client.end();
  }
  const [, , , type] = await bytes(client, 4);
  const host = type === 3 ? await text(client) : [...await bytes(client, 4)].join(".");
  const [high, low] = await bytes(client, 2);
  const port = high << 8 | low;
  asked.push(`${who}${host}:${port}`);
  const answer = (code: number) => Uint8Array.of(5, code, 0, 1, 0, 0, 0, 0, 0, 0);
  if (reply !== undefined) return void client.end(answer(reply));
  const onward = net.connect({ host: hosts[host] ?? host, port }, () => {
    client.write(answer(0));
    client.pipe(onward).pipe(client);
  });
  keep(onward, sockets);
  onward.once("close", () => client.destroy());
  client.once("close", () => onward.destroy());
}
