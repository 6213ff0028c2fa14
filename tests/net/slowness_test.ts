import assert from "node:assert/strict";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { unsentBytes } from "../../src/net/send_queue.ts";
import { Slowness, WriteWatch } from "../../src/net/slowness.ts";
import { until } from "../support/until.ts";

const ignore = Deno.build.os !== "linux";

/** Sweeps at these times; gives those at which it was late. */
async function lateAt(unsent: (number | null)[] | undefined, times: number[]): Promise<number[]> {
  const late: number[] = [];
  let now = 0;
  const stream = {
    ...(unsent &&
      { unsent: () => Promise.resolve(unsent.length > 1 ? unsent.shift()! : unsent[0]) }),
  } as ByteStream;
  const slowness = new Slowness(stream, 100, () => late.push(now));
  for (now of times) {
    slowness.sweep(now);
    for (let turn = 0; turn < 8; turn++) await undefined;
  }
  return late;
}

Deno.test("slowness: nothing was taken from the half of the time to its end", async () => {
  assert.deepEqual(await lateAt([500], [10, 40, 60, 90, 110]), [110]);
});

Deno.test("slowness: where a little was taken there is half the time again", async () => {
  assert.deepEqual(await lateAt([500, 400], [60, 110, 130, 150, 160]), [160]);
  assert.deepEqual(await lateAt([500, 400, 300, 200], [60, 110, 160, 210, 250]), []);
});

Deno.test("slowness: where the system does not tell, nothing is taken", async () => {
  assert.deepEqual(await lateAt([null], [60, 110]), [110]);
  assert.deepEqual(await lateAt(undefined, [60, 110]), [110]);
});

Deno.test("slowness: the next write has its own time", async () => {
  assert.deepEqual(await lateAt([500], [60, 0, 60, 100, 109]), []);
});

/** The times at which writes were late, of those that begin and end at others. */
async function watched(timeoutMs: number, steps: [ms: number, what: string][]): Promise<number[]> {
  const late: number[] = [];
  let now = 0;
  const stream = {} as ByteStream;
  const writes = new WriteWatch({ stream, timeoutMs, onSlow: () => late.push(now) });
  for (const [ms, what] of steps) {
    now = ms;
    if (what === "began") writes.began();
    else if (what === "ended") writes.ended();
    else writes.sweep(now);
    for (let turn = 0; turn < 8; turn++) await undefined;
  }
  return late;
}

const SWEEPS = [10, 60, 120, 180].map((ms): [number, string] => [ms, "sweep"]);

Deno.test("slowness: of writes that are counted one that is done gives the next its whole time", async () => {
  assert.deepEqual(await watched(100, SWEEPS), []);
  assert.deepEqual(await watched(100, [[0, "began"], ...SWEEPS]), [120, 180]);
  assert.deepEqual(await watched(Infinity, [[0, "began"], ...SWEEPS]), []);
  const second: [number, string][] = [[61, "ended"], [61, "began"]];
  const steps = [[0, "began"] as [number, string], ...SWEEPS.slice(0, 2), ...second];
  assert.deepEqual(await watched(100, [...steps, ...SWEEPS.slice(2)]), []);
  assert.deepEqual(await watched(100, [...steps, [130, "sweep"], [190, "sweep"], [240, "sweep"]]), [
    240,
  ]);
});

Deno.test("slowness: of several writes at once each that is done is progress", async () => {
  const begun: [number, string][] = [[0, "began"], [0, "began"], [0, "began"]];
  const steps = [10, 60, 120].flatMap((ms): [number, string][] => [[ms, "sweep"]]);
  assert.deepEqual(await watched(100, [...begun, ...steps]), [120]);
  steps.splice(2, 0, [70, "ended"]);
  assert.deepEqual(await watched(100, [...begun, ...steps]), []);
});

Deno.test(
  "send queue: what the peer has not acknowledged, of IPv4 and IPv6",
  { ignore },
  async () => {
    for (const hostname of ["127.0.0.1", "::1"]) {
      const listener = Deno.listen({ hostname, port: 0 });
      const conn = await Deno.connect({ hostname, port: listener.addr.port });
      const peer = await listener.accept();
      const ends = { local: conn.localAddr, remote: conn.remoteAddr };
      assert.equal(await unsentBytes(ends), null);
      let written = 0;
      const writing = (async () => {
        for (;;) written += await conn.write(new Uint8Array(65536));
      })().catch(() => {});
      // Until the system takes no more.
      let before = -1;
      let looks = 0;
      await until("a full buffer", () => {
        looks = before === written ? looks + 1 : 0;
        before = written;
        return looks === 30;
      });
      const full = (await unsentBytes(ends))!;
      assert.ok(full > 65536 && full <= written, `${full} of ${written}`);
      for (let left = written / 2; left > 0;) left -= (await peer.read(new Uint8Array(65536)))!;
      await until("less", async () => (await unsentBytes(ends))! !== full);
      conn.close();
      await writing;
      peer.close();
      listener.close();
    }
  },
);
