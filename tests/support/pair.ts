import { ConnStream } from "../../src/net/tcp.ts";

/** Both ends of one TCP connection: a `ConnStream`, and what Deno gives for the other end. */
export async function tcpPair(): Promise<{ stream: ConnStream; peer: Deno.TcpConn }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [conn, peer] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  return { stream: new ConnStream(conn), peer };
}
