import assert from "node:assert/strict";
import { EventLoopLag } from "../../src/observe/event_loop.ts";

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("a blocked event loop shows as lag, at once and for the window", async () => {
  const lag = new EventLoopLag({ periodMs: 20, windowMs: 200 });
  assert.equal(lag.seconds, 0);
  lag.start();
  lag.start();
  try {
    await sleep(30);
    block(150);
    // The timer has not fired yet: what lasts now counts.
    assert.ok(lag.seconds >= 0.1, `${lag.seconds}`);
    await sleep(50);
    assert.ok(lag.seconds >= 0.1, `${lag.seconds}`);
    // It is forgotten when the window is over; a busy machine may need longer.
    const deadline = performance.now() + 20_000;
    while (lag.seconds >= 0.1 && performance.now() < deadline) await sleep(50);
    assert.ok(lag.seconds < 0.1, `${lag.seconds}`);
  } finally {
    lag.stop();
    lag.stop();
  }
});

Deno.test("the timer of the event-loop lag does not keep a process alive", async () => {
  const module = new URL("../../src/observe/event_loop.ts", import.meta.url);
  const code = `import { EventLoopLag } from ${JSON.stringify(module.href)};` +
    "new EventLoopLag().start();";
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    signal: AbortSignal.timeout(20_000),
  }).output();
  assert.ok(success);
});
