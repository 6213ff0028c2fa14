import assert from "node:assert/strict";
import { type LineTarget, LineWriter } from "../../src/observe/line_writer.ts";

/** A target that keeps what it gets, and waits where `gate` says so. */
class Target implements LineTarget {
  readonly writes: string[] = [];
  gate: Promise<void> = Promise.resolve();
  most = Infinity;

  async write(bytes: Uint8Array): Promise<number> {
    await this.gate;
    return this.writeSync(bytes);
  }

  writeSync(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.most);
    this.writes.push(new TextDecoder().decode(taken));
    return taken.length;
  }

  get text(): string {
    return this.writes.join("");
  }
}

const dropped = (count: number) => `dropped ${count}\n`;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("lines share one write, in order", async () => {
  const target = new Target();
  const writer = new LineWriter({ target, dropped, delayMs: 1 });
  for (let i = 0; i < 100; i++) writer.push(`${i}\n`);
  assert.equal(target.writes.length, 0);
  await writer.flush();
  assert.equal(target.writes.length, 1);
  assert.equal(target.text, Array.from({ length: 100 }, (_, i) => `${i}\n`).join(""));
  await writer.flush();
  assert.equal(target.writes.length, 1);
});

Deno.test("lines go out by themselves, also those that come during a write", async () => {
  const target = new Target();
  let open = () => {};
  target.gate = new Promise((resolve) => open = resolve);
  const writer = new LineWriter({ target, dropped, delayMs: 1 });
  writer.push("a\n");
  await sleep(20);
  writer.push("b\n");
  writer.push("c\n");
  open();
  while (target.writes.length < 2) await sleep(1);
  assert.deepEqual(target.writes, ["a\n", "b\nc\n"]);
  await writer.flush();
});

Deno.test("short writes are continued", async () => {
  const target = new Target();
  target.most = 3;
  const writer = new LineWriter({ target, dropped });
  writer.push("hello ž\n");
  await writer.flush();
  assert.equal(target.writes.length, 3);
  writer.push("world\n");
  writer.flushSync();
  assert.equal(target.text.slice(-6), "world\n");
});

Deno.test("a stalled reader costs lines, not memory, and the loss is told", async () => {
  const target = new Target();
  let open = () => {};
  target.gate = new Promise((resolve) => open = resolve);
  const writer = new LineWriter({ target, dropped, delayMs: 0, maxPending: 100 });
  const line = "123456789\n";
  writer.push(line);
  await sleep(20);
  for (let i = 0; i < 1000; i++) writer.push(line);
  open();
  await writer.flush();
  assert.deepEqual(target.writes, [line, line.repeat(10) + "dropped 990\n"]);
});

Deno.test("flushSync does not block on a stalled reader", async () => {
  const target = new Target();
  let open = () => {};
  target.gate = new Promise((resolve) => open = resolve);
  const writer = new LineWriter({ target, dropped, delayMs: 0 });
  writer.push("a\n");
  await sleep(150);
  writer.push("b\n");
  writer.flushSync();
  assert.deepEqual(target.writes, []);
  open();
  await writer.flush();
  assert.equal(target.text, "a\nb\n");
});

Deno.test("a reader that is gone is no error", async () => {
  const gone = () => {
    throw new Deno.errors.BrokenPipe("gone");
  };
  const target: LineTarget = { write: () => Promise.reject(new Error("gone")), writeSync: gone };
  const writer = new LineWriter({ target, dropped });
  writer.push("a\n");
  await writer.flush();
  writer.push("b\n");
  writer.flushSync();
  await writer.flush();
});

Deno.test("a pipe that nobody reads does not stop the process", async () => {
  const module = new URL("../../src/observe/line_writer.ts", import.meta.url);
  const code = `import { LineWriter } from ${JSON.stringify(module.href)};
    const writer = new LineWriter({ target: Deno.stderr, dropped: (n) => n + "\\n", delayMs: 0 });
    for (let i = 0; i < 50; i++) {
      for (let j = 0; j < 100; j++) writer.push("x".repeat(999) + "\\n");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    writer.flushSync();
    console.log("alive");
    Deno.exit(0);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stop = setTimeout(() => child.kill("SIGKILL"), 20_000);
  const out = await new Response(child.stdout).text();
  clearTimeout(stop);
  await child.stderr.cancel();
  assert.equal(out, "alive\n");
  assert.equal((await child.status).code, 0);
});
