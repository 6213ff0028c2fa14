// OpenSSH's server with keys of its own, for whoever runs it, and how its client finds it.
import { userInfo } from "node:os";
import { until } from "./until.ts";

export interface Sshd extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** What ssh needs to know: all but what it shall do, which goes before and behind it. */
  readonly login: readonly string[];
}

const HOST = "127.0.0.1";

/** Starts it; `ssh` and `ssh-keygen` are on the PATH wherever it is installed. */
export async function startSshd(path: string): Promise<Sshd> {
  const folder = await Deno.makeTempDir();
  const keys = { host: `${folder}/host`, user: `${folder}/user` };
  await makeKey(keys.host);
  await makeKey(keys.user);
  const port = freePort();
  const known = await Deno.readTextFile(`${keys.host}.pub`);
  await Deno.writeTextFile(`${folder}/known_hosts`, `[${HOST}]:${port} ${known}`);
  await Deno.writeTextFile(`${folder}/sshd_config`, configOf(keys, port));
  // Where root starts it without an init system, nobody has made it.
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const server = new Deno.Command(path, {
    args: ["-D", "-f", `${folder}/sshd_config`, "-E", `${folder}/log`],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
  let ended = false;
  const status = server.status.finally(() => ended = true);
  const stop = async () => {
    if (!ended) server.kill("SIGTERM");
    await status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await until("sshd", async () => {
      if (ended) throw new Error(`sshd ended: ${await Deno.readTextFile(`${folder}/log`)}`);
      return await accepts(port);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const options = [
    ...[`UserKnownHostsFile=${folder}/known_hosts`, "StrictHostKeyChecking=yes"],
    ...["BatchMode=yes", "IdentitiesOnly=yes", "LogLevel=ERROR"],
  ];
  const login = [
    ...["-F", "none", "-i", keys.user, "-p", `${port}`],
    ...options.flatMap((option) => ["-o", option]),
    `${userInfo().username}@${HOST}`,
  ];
  return { pid: server.pid, port, login, [Symbol.asyncDispose]: stop };
}

async function makeKey(file: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("ssh-keygen", {
    args: ["-q", "-t", "ed25519", "-N", "", "-f", file],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`ssh-keygen: ${new TextDecoder().decode(stderr)}`);
}

function configOf({ host, user }: { host: string; user: string }, port: number): string {
  return `Port ${port}
ListenAddress ${HOST}
HostKey ${host}
AuthorizedKeysFile ${user}.pub
# The folder is a temporary one, below a folder that anybody may write to.
StrictModes no
UsePAM no
PidFile none
`;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  listener.close();
  return listener.addr.port;
}

async function accepts(port: number): Promise<boolean> {
  const conn = await Deno.connect({ hostname: HOST, port }).catch(() => null);
  conn?.close();
  return conn !== null;
}
