import assert from "node:assert/strict";
import { run } from "../../src/cli/args.ts";
import { benchCommand } from "../../src/cli/bench.ts";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import type { LoadReport } from "../../src/cli/load.ts";
import { serve } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { TestIo, withFolder } from "./support.ts";

/** Runs `h3ws bench` in this process. */
export async function bench(...args: string[]) {
  const io = new TestIo();
  const code = await run(["bench", ...args], { commands: [benchCommand] }, io);
  return { code, out: io.stdout, err: io.stderr };
}

/** The same with `--json`. */
export async function benchJson(...args: string[]): Promise<{ code: number; report: LoadReport }> {
  const { code, out, err } = await bench("--json", ...args);
  assert.equal(err, "");
  return { code, report: JSON.parse(out) };
}

export async function withEcho(body: (port: number) => Promise<void>): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await body(echo.port);
  } finally {
    await echo.close();
  }
}

/** What a test has of a proxy with all doors before an echo. */
export interface Served {
  /** Of the doors by TLS and QUIC. */
  port: number;
  /** Of the door in the clear. */
  plainPort: number;
  /** The file of the CA. */
  ca: string;
  pair: Certificates;
  /** For more files. */
  folder: string;
}

/** A proxy before the echo of `h3ws echo`, with more of its flags; CA stands for the file of the CA. */
export async function withServed(
  flags: Record<string, string>,
  body: (served: Served) => Promise<void>,
  hosts: readonly string[] = ["localhost", "127.0.0.1"],
): Promise<void> {
  const pair = await makeCertificates({ hosts: [...hosts], days: 1, client: "alice" });
  await withFolder(async (folder) => {
    const ca = `${folder}/ca.pem`;
    await Deno.writeTextFile(ca, pair.caPem);
    const more = Object.entries(flags).map(([flag, text]) => [flag, text === "CA" ? ca : text]);
    await withEcho(async (echoPort) => {
      const config = readProxyConfig({
        ...{ backend: `ws://127.0.0.1:${echoPort}`, listen: "127.0.0.1:0", metrics: "off" },
        ...{ "log-level": "off", "plain-listen": "127.0.0.1:0" },
        ...Object.fromEntries(more),
      });
      const serving = await serve(config, { pair });
      try {
        const { port, plainPort } = serving.proxy;
        await body({ port, plainPort: plainPort ?? 0, ca, pair, folder });
      } finally {
        await serving.drain(0);
      }
    });
  });
}
