// The command line that `h3ws demo` prints, as it stands there.
import assert from "node:assert/strict";
import { within } from "../../support/within.ts";
import { peerTests } from "../peers.ts";

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
const PATIENCE_MS = 60_000;
const TRIES = 20;
const HEADLESS = "--headless --no-sandbox --disable-gpu --dump-dom --virtual-time-budget=5000";

const test = peerTests("H3WS_CHROMIUM");

test("Chromium by the demo's command line: the page and its WebSocket over HTTP/3", async (path) => {
  const demo = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-net", MAIN, "demo", "--listen", "127.0.0.1:0", "--metrics=off"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = demo.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let text = "";
    while (!text.includes("Ctrl+C")) {
      const { value, done } = await within("the demo", reader.read(), PATIENCE_MS);
      assert.ok(!done, text);
      text += value;
    }
    const [, flags] = /^ {2}chromium ((?:.*\\\n)+.*)$/m.exec(text) ?? assert.fail(text);
    const opened = /<pre id="log">open after [\d.]+ ms\n/;
    let dom = "";
    // Its virtual time does not wait for a socket, and may be over before it opens.
    for (let tries = 0; tries < TRIES && !opened.test(dom); tries++) {
      dom = await dump(`"$CHROMIUM" ${HEADLESS} ${flags}`, path);
      assert.match(dom, /<b id="page">h3<\/b>/);
    }
    assert.match(dom, opened);
  } finally {
    demo.kill("SIGTERM");
    await demo.status;
    await reader.cancel();
  }
});

async function dump(command: string, chromium: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", command],
    env: { CHROMIUM: chromium },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).output();
  return new TextDecoder().decode(stdout);
}
