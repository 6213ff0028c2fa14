// TCP targets whose connections a test holds, and whether a tunnel has any left.
import * as net from "node:net";
import type { TunnelAgent } from "../../src/tunnel/agent.ts";
import type { GatewayServer } from "../../src/tunnel/gateway_server.ts";
import { collectNow } from "../support/collected.ts";
import { until } from "../support/until.ts";
import { type SocksClient, socksConnect } from "./socks_client.ts";

/** A TCP server whose connections a test holds. */
export async function withTarget(
  take: (conn: net.Socket) => void,
  run: (port: number, conns: Set<net.Socket>) => Promise<void>,
): Promise<void> {
  const conns = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (conn) => {
    conns.add(conn);
    conn.on("close", () => conns.delete(conn));
    conn.on("error", () => {});
    take(conn);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run((server.address() as net.AddressInfo).port, conns);
  } finally {
    for (const conn of conns) conn.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** What comes goes back, and its end too. */
export function echo(conn: net.Socket): void {
  conn.pipe(conn);
}

/** Pours as long as somebody takes it. */
export function pour(conn: net.Socket): void {
  const bytes = new Uint8Array(64 * 1024);
  const more = () => {
    while (!conn.destroyed && conn.write(bytes));
  };
  conn.on("drain", more);
  more();
}

/** Pours where the first byte is "p", and is an echo else. */
export function pourOrEcho(conn: net.Socket): void {
  conn.once("data", (first: Uint8Array) => {
    if (first[0] === 0x70) return pour(conn);
    conn.write(first);
    echo(conn);
  });
}

/** Connects, and has seen an echo. */
export async function echoClient(socksPort: number, port: number): Promise<SocksClient> {
  const client = await socksConnect(socksPort, "127.0.0.1", port);
  await echoes(client, "hello");
  return client;
}

/** Sends it and waits until it is back. */
export async function echoes(client: SocksClient, text: string): Promise<void> {
  const want = client.text + text;
  client.write(text);
  await until("the echo", () => client.text === want);
}

/** Whether no end of a tunnel has a connection. */
export function isIdle(
  { gateway, agent }: { gateway: GatewayServer; agent?: TunnelAgent },
): boolean {
  return gateway.gateway.connections === 0 && (agent?.streams ?? 0) === 0;
}

/** Descriptors of this process (Linux; 0 elsewhere). */
export function openFiles(): number {
  return Deno.build.os === "linux" ? filesOf("self") : 0;
}

/** proc(5): descriptors of a process. */
export function filesOf(pid: number | "self"): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Waits until this process has no more descriptors than that. */
export async function filesBack(before: number): Promise<void> {
  await until(`no more than ${before} files`, () => {
    if (openFiles() <= before) return true;
    // Sockets of QUIC where an attempt failed are left to the collector (net/quic_connect.ts).
    collectNow();
    return openFiles() <= before;
  });
}
