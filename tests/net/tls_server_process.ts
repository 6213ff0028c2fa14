// A process that accepts TLS. Says its port on a line, and at each line of its input what its memory
// is now; "read" reads all of the first connection and says how much that was, "write" writes as
// many bytes to it as the second word says and says how many were taken when it is asked for.
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { TlsServer } from "../../src/net/tls_server.ts";

const [certPem, keyPem] = Deno.args;
const CHUNK = new Uint8Array(64 * 1024);

const say = (value: unknown) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));

let stream: ByteStream | null = null;
let taken = 0;
const server = await TlsServer.listen({
  hostname: "127.0.0.1",
  port: 0,
  proxyProtocol: false,
  maxHandshakes: 10,
  handshakeTimeoutMs: 10_000,
  sweeper: new Sweeper(500),
  onAccept: (accepted) => stream = accepted.stream,
  onRefused: () => {},
  onBug: (where, error) => say({ where, error: String(error) }),
  certificates: [{ certPem, keyPem }],
  clientCaPem: null,
});
say({ port: server.port });

async function readAll(from: ByteStream): Promise<number> {
  let bytes = 0;
  for (let chunk = await from.read(); chunk !== null; chunk = await from.read()) {
    bytes += chunk.length;
  }
  return bytes;
}

async function writeAll(to: ByteStream, bytes: number): Promise<void> {
  for (taken = 0; taken < bytes; taken += CHUNK.length) await to.write(CHUNK);
  await to.closeWrite();
}

async function answer(line: string): Promise<void> {
  const [what, bytes] = line.split(" ");
  if (what === "first") say({ bytes: (await stream!.read())!.length });
  if (what === "read") say({ bytes: await readAll(stream!) });
  if (what === "write") void writeAll(stream!, Number(bytes));
  if (what === "rss") say({ rss: Deno.memoryUsage().rss, taken });
}

for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const line of text.trim().split("\n")) await answer(line);
}
await server.closeAll();
Deno.exit(0);
