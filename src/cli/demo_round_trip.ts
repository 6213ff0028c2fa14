import { connectWebSocket } from "../client/connect.ts";
import { H3Client } from "../client/h3_client.ts";
import { CommandError } from "./command.ts";

export interface RoundTripOptions {
  /** Where the proxy listens; its certificate is for localhost. */
  hostname: string;
  port: number;
  caPem: string;
  /** Shows what was done. */
  step: (text: string) => void;
}

const HEAD = { scheme: "https", protocol: null, fields: [] };
const BINARY_BYTES = 65_536;

/**
 * A real WebSocket over HTTP/3, through the proxy to the echo backend and back, step by step.
 * Throws `CommandError` when something else comes back than was sent.
 */
export async function roundTrip(options: RoundTripOptions): Promise<void> {
  const { hostname, port, caPem, step } = options;
  const authority = `localhost:${port}`;
  const serverName = "localhost";
  const client = await H3Client.connect({ hostname, port, serverName, caCerts: [caPem] });
  try {
    step("QUIC           connected: TLS 1.3, ALPN h3");
    if (!await client.extendedConnect()) throw new CommandError("no ENABLE_CONNECT_PROTOCOL");
    step("SETTINGS       the server announces ENABLE_CONNECT_PROTOCOL = 1 (RFC 9220)");
    const health = await client.fetch({ ...HEAD, method: "GET", authority, path: "/healthz" });
    step(`GET /healthz   ${health.status} over HTTP/3`);
    await talk(client, `wss://${authority}/ws`, step);
  } finally {
    client.close();
  }
}

async function talk(
  connection: H3Client,
  url: string,
  step: RoundTripOptions["step"],
): Promise<void> {
  const socket = await connectWebSocket(url, { connection });
  step("CONNECT /ws    200, the backend said 101 to its own handshake");
  await socket.send("hello over HTTP/3");
  step(`text           "${await socket.receive()}" came back`);
  const bytes = crypto.getRandomValues(new Uint8Array(BINARY_BYTES));
  await socket.send(bytes);
  const echo = await socket.receive();
  const same = echo instanceof Uint8Array && echo.length === bytes.length &&
    echo.every((byte, i) => byte === bytes[i]);
  if (!same) throw new CommandError("the echo of 64 KiB differs from what was sent");
  step("binary         64 KiB came back, byte for byte");
  const pong = socket.ping(new TextEncoder().encode("are you there"));
  const closing = socket.close(4001, "demo is over");
  await pong;
  step("Ping           answered by the backend, once");
  const { code, reason } = await closing;
  step(`Close          ${code} from the backend${reason === "" ? "" : `, "${reason}"`}`);
}
