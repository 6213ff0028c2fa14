// A process that dials a TLS server, reads once and no more, until its standard input ends. Says on
// a line what its memory was before, and at each line of its input what it is now.
import { dial } from "../../src/net/dial.ts";

const [port, insecure, caPem] = Deno.args;
const stream = await dial({
  hostname: "127.0.0.1",
  port: Number(port),
  tls: {
    serverName: "localhost",
    alpnProtocols: ["http/1.1"],
    insecure: insecure === "true",
    caCerts: [caPem],
  },
}, new AbortController().signal);

const say = (value: unknown) =>
  Deno.stdout.writeSync(
    new TextEncoder().encode(`${JSON.stringify(value)}\n`),
  );

const first = await stream.read();
say({ rss: Deno.memoryUsage().rss, bytes: first?.length });
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  if (text.trim() === "rss") say({ rss: Deno.memoryUsage().rss });
  if (text.trim() === "rest") {
    let bytes = 0;
    for (let chunk = await stream.read(); chunk !== null; chunk = await stream.read()) {
      bytes += chunk.length;
    }
    say({ bytes });
  }
}
stream.abort();
