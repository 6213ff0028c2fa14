import * as http from "node:http";
import * as net from "node:net";

export interface ConnectProxy extends AsyncDisposable {
  readonly port: number;
  /** Each CONNECT: its target and its Proxy-Authorization. */
  readonly asked: readonly [target: string, authorization: string | undefined][];
}

/** An HTTP proxy that opens a tunnel for each CONNECT, or answers `refuse` instead. */
export async function startConnectProxy(refuse?: string): Promise<ConnectProxy> {
  const asked: [string, string | undefined][] = [];
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).once("close", () => sockets.delete(socket));
  };
  const server = http.createServer();
  server.on("connect", (request, client: net.Socket) => {
    keep(client);
    asked.push([request.url!, request.headers["proxy-authorization"]]);
    if (refuse !== undefined) return void client.end(refuse);
    const target = new URL(`http://${request.url}`);
    const onward = net.connect({ host: target.hostname, port: Number(target.port || 80) }, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      client.pipe(onward).pipe(client);
    });
    onward.once("close", () => client.destroy());
    client.once("close", () => onward.destroy());
    keep(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
