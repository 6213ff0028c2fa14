// OpenSSH through a gateway's SOCKS5 port, to a server behind the agent.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { type TestTunnel, withTunnel } from "../tunnel/support.ts";
import { isIdle } from "../tunnel/target.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_SSHD");
const SOCKS_COMMAND = fileURLToPath(new URL("./socks_command.ts", import.meta.url));
const FILE_BYTES = 16 * 2 ** 20;

/** Runs a command behind the tunnel with that input; gives its output, and fails with its errors. */
async function ssh(
  { gateway }: TestTunnel,
  { login }: Sshd,
  { command, input = new Uint8Array(0) }: { command: string; input?: Uint8Array },
): Promise<Uint8Array> {
  const way = [Deno.execPath(), "run", "-A", "--no-check", SOCKS_COMMAND, `${gateway.socksPort}`];
  const proxy = `ProxyCommand=${way.map((word) => `"${word}"`).join(" ")} %h %p`;
  const child = new Deno.Command("ssh", {
    args: ["-o", proxy, ...login, command],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  // Where it fails, its own words say more than those of the pipe to it.
  const writing = ReadableStream.from([input]).pipeTo(child.stdin).catch(() => {});
  const { code, stdout, stderr } = await within(command, child.output(), 60_000);
  await writing;
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return stdout;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

for (const [name, transports] of Object.entries({ quic: ["quic"], ws: ["ws"] } as const)) {
  test(`ssh through SOCKS5 by ${name}: what a command says, and 16 MiB each way`, async (path) => {
    await using sshd = await startSshd(path);
    await withTunnel({ transports }, async (tunnel) => {
      const { told } = tunnel;
      const said = await ssh(tunnel, sshd, { command: "echo from behind; echo $SSH_CONNECTION" });
      const [first, connection] = new TextDecoder().decode(said).split("\n");
      assert.equal(first, "from behind");
      // ssh(1): address and port of the client, which is the agent, and of the server.
      assert.match(connection, new RegExp(`^127\\.0\\.0\\.1 \\d+ 127\\.0\\.0\\.1 ${sshd.port}$`));
      assert.ok(told.lines.includes(`open 127.0.0.1:${sshd.port} one`), told.lines.join("\n"));

      const folder = await Deno.makeTempDir();
      try {
        const piece = crypto.getRandomValues(new Uint8Array(65_536));
        const file = new Uint8Array(FILE_BYTES);
        for (let at = 0; at < file.length; at += piece.length) file.set(piece, at);
        await ssh(tunnel, sshd, { command: `cat > '${folder}/file'`, input: file });
        assert.equal(sha256(await Deno.readFile(`${folder}/file`)), sha256(file));
        const back = await ssh(tunnel, sshd, { command: `cat '${folder}/file'` });
        assert.equal(sha256(back), sha256(file));
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
      await until("nothing left", () => isIdle(tunnel));
    });
  });
}
