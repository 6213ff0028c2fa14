// SIGHUP reaches a process from outside, so each test has one of its own.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const ignore = Deno.build.os === "windows";
const PATIENCE_MS = 20_000;

interface Running {
  child: Deno.ChildProcess;
  /** All that it wrote, on stdout and stderr. */
  text(): string;
  /** Until all that it wrote has this in it. */
  says(words: string): Promise<void>;
}

async function withCommand(
  [command, ...args]: readonly string[],
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  let running = true;
  const status = child.status.finally(() => running = false);
  try {
    await body({
      child,
      text: () => text,
      says: (words) => until(`${words} in ${text}`, () => text.includes(words) || !running),
    });
  } finally {
    if (running) child.kill("SIGKILL");
    await status;
    await child.stdin.close().catch(() => {});
    await reading;
  }
}

const DENO_RUN = [Deno.execPath(), "run", "-A", "--unstable-net", MAIN];
const NOTHING = "h3ws: SIGHUP: there are no files to read again\n";
const SERVING = [
  { args: ["echo", "--listen", "127.0.0.1:0"], ready: "Echo server on" },
  {
    args: ["demo", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
    ready: "End it: Ctrl+C\n",
  },
];

for (const { args, ready } of SERVING) {
  Deno.test(`hangup: ${args[0]}: a SIGHUP is told of in one line, and it serves on`, {
    ignore,
  }, async () => {
    await withCommand([...DENO_RUN, ...args], async ({ child, text, says }) => {
      await says(ready);
      for (let times = 1; times <= 2; times++) {
        child.kill("SIGHUP");
        await until("the line", () => text().split(NOTHING).length === times + 1);
      }
      child.kill("SIGTERM");
      const { code } = await within("its end", child.status, PATIENCE_MS);
      assert.equal(code, 0, text());
    });
  });
}

function hasScript(): boolean {
  try {
    return new Deno.Command("script", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("hangup: a terminal that closes ends what runs in it, as SIGTERM does", {
  ignore: Deno.build.os !== "linux" || !hasScript(),
}, async () => {
  const line = `exec ${DENO_RUN.join(" ")} ${SERVING[1].args.join(" ")}`;
  await withCommand(["script", "-qfc", line, "/dev/null"], async ({ child, text, says }) => {
    await says("End it: Ctrl+C");
    const [, folder] = /--ca (\S+)\/ca\.pem/.exec(text()) ?? assert.fail(text());
    assert.ok(await exists(folder));
    child.kill("SIGKILL");
    // It takes it away only where it comes to its end.
    await until("the demo's end", async () => !await exists(folder));
  });
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
