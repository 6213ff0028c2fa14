import assert from "node:assert/strict";
import type * as net from "node:net";
import type { Refusal } from "../../src/net/accepted.ts";
import { NodeListener } from "../../src/net/node_listener.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { until } from "../support/until.ts";
import { connectRaw } from "./accept_support.ts";

Deno.test("NodeListener: one that is quiet is tried, and that is seen by nobody", async () => {
  const sweeper = new Sweeper(10);
  const sockets: net.Socket[] = [];
  const refusals: Refusal[] = [];
  const listener = await NodeListener.listen(
    { hostname: "127.0.0.1", port: 0, sweeper, onRefused: (refusal) => refusals.push(refusal) },
    (socket) => sockets.push(socket),
    { quietMs: 20, tryMs: 5_000 },
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual([sockets.length, refusals.length], [0, 0]);
  const client = await connectRaw(listener.port);
  await until("it", () => sockets.length === 1);
  assert.equal(sockets[0].remotePort, client.localPort);
  client.destroy();
  sockets[0].destroy();
  listener.close();
  assert.equal(sweeper.size, 0);
  sweeper.stop();
});

Deno.test("NodeListener: on a wildcard address it is tried too", async () => {
  for (const hostname of ["0.0.0.0", "::"]) {
    const sweeper = new Sweeper(10);
    const refusals: Refusal[] = [];
    let seen = 0;
    let listener: NodeListener;
    try {
      listener = await NodeListener.listen(
        { hostname, port: 0, sweeper, onRefused: (refusal) => refusals.push(refusal) },
        () => seen++,
        { quietMs: 20, tryMs: 200 },
      );
    } catch (error) {
      // A machine without IPv6.
      assert.equal((error as { kind?: string }).kind, "unreachable");
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepEqual([seen, refusals], [0, []]);
    listener.close();
    sweeper.stop();
  }
});

const MAX_FILES = 60;

/** Sends a byte and waits for its echo; `false` after a second without one. */
async function echoes(port: number): Promise<boolean> {
  const client = await connectRaw(port).catch(() => null);
  if (client === null) return false;
  const answered = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), 1_000);
    client.once("data", () => {
      clearTimeout(timer);
      resolve(true);
    }).once("close", () => {
      clearTimeout(timer);
      resolve(false);
    });
    client.write("a");
  });
  client.destroy();
  return answered;
}

Deno.test({
  name: "NodeListener: after EMFILE it takes connections again",
  ignore: Deno.build.os === "windows",
  async fn() {
    const script = new URL("./node_listener_process.ts", import.meta.url).pathname;
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        `ulimit -n ${MAX_FILES}; exec "$0" run -A --unstable-net "$1"`,
        ...[Deno.execPath(), script],
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines: { port?: number; kind?: string; message?: string }[] = [];
    const reading = (async () => {
      let text = "";
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        text += part;
        const whole = text.split("\n");
        text = whole.pop()!;
        lines.push(...whole.map((line) => JSON.parse(line)));
      }
    })();
    await until("its port", () => lines.length > 0);
    const port = lines[0].port!;
    assert.equal(await echoes(port), true);
    const clients = await Promise.all(
      Array.from({ length: 2 * MAX_FILES }, () => connectRaw(port)),
    );
    assert.equal(await echoes(port), false, "it has a file for everybody");
    for (const client of clients) client.destroy();
    await until("an echo", () => echoes(port));
    await child.stdin.close();
    await child.status;
    await reading;
  },
});
