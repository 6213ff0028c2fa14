// curl carries a gigabyte each way through a gateway and an agent that are processes of their own.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { withFolder } from "../cli/support.ts";
import { metric } from "../support/process.ts";
import {
  portOf,
  startAgent,
  startGateway,
  type TunnelProcess,
  writePair,
} from "../support/tunnel_process.ts";
import { filesOf } from "../tunnel/target.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const PIECE = crypto.getRandomValues(new Uint8Array(64 * 1024));
/** What a process may grow by while the gigabytes pass. */
const MAX_GROWTH_BYTES = 96 * MIB;
const GIB_MS = 120_000;

/** So many bytes, piece by piece as they are taken. */
function bytesOf(size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = size;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(PIECE.slice());
      left -= PIECE.length;
      if (left === 0) controller.close();
    },
  }, { highWaterMark: 0 });
}

async function hashOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of stream) hash.update(piece);
  return hash.digest("hex");
}

/** Gives as many bytes as its path says, and the SHA-256 of what it gets. */
async function answer(request: Request): Promise<Response> {
  if (request.method === "PUT") return new Response(await hashOf(request.body!));
  return new Response(bytesOf(Number(new URL(request.url).pathname.slice(1))));
}

interface Transfer {
  gateway: TunnelProcess;
  url: string;
  size: number;
  /** The SHA-256 of so many bytes. */
  sha256: string;
}

function curl({ gateway }: Transfer, ...args: string[]): Deno.ChildProcess {
  const way = ["--socks5-hostname", String(gateway.started.socks)];
  return new Deno.Command("curl", {
    args: ["-sSN", "--http1.1", "--max-time", `${GIB_MS / 1000}`, ...way, ...args],
    ...{ stdin: "piped", stdout: "piped", stderr: "inherit" },
  }).spawn();
}

async function download(transfer: Transfer, ca: string): Promise<void> {
  const child = curl(transfer, "--cacert", ca, `${transfer.url}/${transfer.size}`);
  await child.stdin.close();
  assert.equal(await within("the download", hashOf(child.stdout), GIB_MS), transfer.sha256);
  assert.equal((await child.status).code, 0);
}

async function upload(transfer: Transfer, ca: string): Promise<void> {
  const child = curl(transfer, "--cacert", ca, "-T", "-", `${transfer.url}/`);
  const sending = bytesOf(transfer.size).pipeTo(child.stdin);
  const { code, stdout } = await within("the upload", child.output(), GIB_MS);
  await sending;
  assert.deepEqual([code, new TextDecoder().decode(stdout)], [0, transfer.sha256]);
}

/** proc(5): the largest that a process has been. */
function peakBytes({ pid }: TunnelProcess): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
}

interface Ends {
  readonly gateway: TunnelProcess;
  readonly agent: TunnelProcess;
  /** Where servers behind the agent are. */
  readonly http: string;
  readonly https: string;
  /** A file of the CA of both gateway and server. */
  readonly ca: string;
}

async function play(transport: string, run: (ends: Ends) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    await writePair(folder);
    const [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map((file) => `${folder}/${file}`);
    const pem = { cert: await Deno.readTextFile(cert), key: await Deno.readTextFile(key) };
    await using gateway = await startGateway({
      flags: [
        ...["--listen", "127.0.0.1:0", "--socks", "127.0.0.1:0", "--anonymous"],
        ...["--cert", cert, "--key", key, "--user", "ann:secret"],
      ],
    });
    await using agent = await startAgent({
      flags: [
        ...[`wss://localhost:${portOf(gateway.started.listen)}`, "--transport", transport],
        ...["--user", "ann:secret", "--ca", ca, "--allow", "127.0.0.1"],
      ],
    });
    await agent.logged("gateway.connect");
    const listen = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    await using plain = Deno.serve(listen, answer);
    await using secure = Deno.serve({ ...listen, ...pem }, answer);
    const [http, https] = [
      `http://localhost:${plain.addr.port}`,
      `https://localhost:${secure.addr.port}`,
    ];
    await run({ gateway, agent, http, https, ca });
  });
}

function sha256Of(size: number): string {
  const hash = createHash("sha256");
  for (let at = 0; at < size; at += PIECE.length) hash.update(PIECE);
  return hash.digest("hex");
}

// Each scheme each way, and each transport each way.
const ROWS = [
  { transport: "quic", down: "http", up: "https" },
  { transport: "ws", down: "https", up: "http" },
] as const;

for (const { transport, down, up } of ROWS) {
  const name = `tunnel by ${transport}: curl carries 1 GiB down by ${down} and up by ${up}`;
  const ignore = Deno.build.os !== "linux";
  Deno.test(`${name}, whole, in flat memory`, { ignore }, async () => {
    await play(transport, async ({ gateway, agent, ca, ...urls }) => {
      const both = async (size: number) => {
        const transfer = { gateway, size, sha256: sha256Of(size) };
        await download({ ...transfer, url: urls[down] }, ca);
        await upload({ ...transfer, url: urls[up] }, ca);
      };
      // Whatever takes memory once has taken it then.
      await both(64 * MIB);
      const before = [gateway, agent].map(peakBytes);
      const files = [gateway, agent].map(({ pid }) => filesOf(pid));
      await both(GIB);
      const grown = [gateway, agent].map((one, i) => peakBytes(one) - before[i]);
      assert.ok(grown.every((bytes) => bytes < MAX_GROWTH_BYTES), `${grown} bytes more`);
      await until("nothing left", async () => {
        const open = await metric(gateway.admin, "h3ws_gateway_active_connections");
        return open + await metric(agent.admin, "h3ws_agent_active_connections") === 0;
      });
      await until("no more files than before", () => {
        return [gateway, agent].every(({ pid }, i) => filesOf(pid) <= files[i]);
      });
    });
  });
}
