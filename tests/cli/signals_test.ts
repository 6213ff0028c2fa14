// Signals reach a process from outside, so each test has one of its own.
import assert from "node:assert/strict";
import { within } from "../support/within.ts";

const SIGNALS = new URL("../../src/cli/signals.ts", import.meta.url).href;
const ignore = Deno.build.os === "windows";

/** A process that says "ready", "stopping" at the first signal, and then runs `drain`. */
async function withProcess(
  drain: string,
  body: (
    child: { kill(signal: Deno.Signal): void; line(): Promise<string>; code: Promise<number> },
  ) => Promise<void>,
): Promise<void> {
  const source = `import { untilStopSignal } from ${JSON.stringify(SIGNALS)};
    const stopped = untilStopSignal();
    console.log("ready");
    setInterval(() => {}, 1000);
    console.log("stopping " + await stopped);
    ${drain}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", `data:text/typescript,${encodeURIComponent(source)}`],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const line = async () => {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      assert.ok(!done, `ended in the midst of ${JSON.stringify(text)}`);
      text += value;
    }
    const [first] = text.split("\n", 1);
    text = text.slice(first.length + 1);
    return first;
  };
  let running = true;
  const status = child.status.finally(() => running = false);
  try {
    assert.equal(await within("ready", line()), "ready");
    await body({
      kill: (signal) => child.kill(signal),
      line: () => within("a line", line()),
      code: within("the exit", status.then(({ code }) => code)),
    });
  } finally {
    if (running) child.kill("SIGKILL");
    await status;
    await reader.cancel();
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`signals: a ${signal} that comes twice at once, as under deno task, is one`, {
    ignore,
  }, async () => {
    await withProcess(`setTimeout(() => Deno.exit(7), 1000);`, async ({ kill, line, code }) => {
      kill(signal);
      kill(signal);
      assert.equal(await line(), `stopping ${signal}`);
      kill(signal);
      assert.equal(await code, 7);
    });
  });
}

for (
  const [first, second, want] of [
    ["SIGINT", "SIGINT", 130],
    ["SIGTERM", "SIGTERM", 143],
    ["SIGTERM", "SIGINT", 130],
  ] as const
) {
  Deno.test(`signals: a ${second} some time after a ${first} ends the process with ${want}`, {
    ignore,
  }, async () => {
    const drain = `setTimeout(() => console.log("later"), 600);`;
    await withProcess(drain, async ({ kill, line, code }) => {
      kill(first);
      assert.equal(await line(), `stopping ${first}`);
      assert.equal(await line(), "later");
      kill(second);
      assert.equal(await code, want);
    });
  });
}
