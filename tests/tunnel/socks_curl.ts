// What curl gets by a SOCKS5 port, and from whom.
import { createHash } from "node:crypto";

/** Its output, or "exit N: ..." when it failed. */
export async function curlThrough(socksPort: number, ...args: string[]): Promise<string> {
  const way = ["--socks5-hostname", `127.0.0.1:${socksPort}`];
  const { code, stdout, stderr } = await new Deno.Command("curl", {
    args: ["-sS", "--max-time", "20", ...way, ...args],
  }).output();
  const text = new TextDecoder();
  if (code !== 0) return `exit ${code}: ${text.decode(stderr).trim()}`;
  return text.decode(stdout);
}

/** An HTTP server that gives so many bytes as its path says, or "hello", and hashes what it gets. */
export async function withTarget(run: (port: number) => Promise<void>): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (request.method === "POST") {
        const hash = createHash("sha256");
        for await (const chunk of request.body!) hash.update(chunk);
        return new Response(hash.digest("hex"));
      }
      const size = Number(pathname.slice(1));
      return new Response(size > 0 ? new Uint8Array(size).fill(7) : "hello\n");
    },
  );
  try {
    await run(server.addr.port);
  } finally {
    await server.shutdown();
  }
}

/** What a target gives that is asked for so many bytes, in a file; and its SHA-256 in hex. */
export async function withBytes(
  size: number,
  run: (file: string, sha256: string) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile();
  try {
    const bytes = new Uint8Array(size).fill(7);
    await Deno.writeFile(file, bytes);
    await run(file, createHash("sha256").update(bytes).digest("hex"));
  } finally {
    await Deno.remove(file);
  }
}
