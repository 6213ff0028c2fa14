// HAProxy in front of the proxy: it takes HTTP/1.1 in clear text and speaks what a door does.
import { until } from "../support/until.ts";
import type { Door, Doors } from "./doors.ts";

export interface HaProxy extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
}

export interface HaProxyOptions {
  /** Its executable. */
  haproxy: string;
  door: Door;
  proxy: Doors;
  /** More words of its "server" line. */
  words?: string;
}

/** `ws`: HAProxy takes HTTP/1.1 for WebSockets when it is not told (its manual, 5.2). */
function serverLine({ door, proxy, words = "" }: HaProxyOptions): string {
  const version = door.http === "2" ? "h2" : "h1";
  const alpn = door.http === "2" ? "h2" : "http/1.1";
  const how = door.secure
    ? `ssl verify none alpn ${alpn} ws ${version}`
    : `proto ${version} ws ${version}`;
  return `server h3ws 127.0.0.1:${door.secure ? proxy.port : proxy.plainPort} ${how} ${words}`;
}

/** It can't be told to take any free port, so one is looked for. */
export async function startHaProxy(options: HaProxyOptions): Promise<HaProxy> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  await Deno.writeTextFile(
    `${folder}/haproxy.cfg`,
    `defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  timeout tunnel 60s
listen front
  bind 127.0.0.1:${port}
  ${serverLine(options)}
`,
  );
  const child = new Deno.Command(options.haproxy, {
    args: ["-db", "-f", `${folder}/haproxy.cfg`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let running = true;
  const status = child.status.finally(() => running = false);
  const stop = async () => {
    if (running) child.kill("SIGKILL");
    await status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await until("HAProxy", async () => {
      if (!running) throw new Error("HAProxy has ended");
      return await canConnect(port);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: stop };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

async function canConnect(port: number): Promise<boolean> {
  try {
    using _conn = await Deno.connect({ hostname: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}
