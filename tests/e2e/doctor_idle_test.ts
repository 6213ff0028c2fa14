// What h3ws doctor --idle sees of a socket on which nothing is sent.
import assert from "node:assert/strict";
import { diagnose, withTlsServer } from "../support/doctor.ts";

Deno.test("doctor: --idle tells how long a silent socket lives, and who ends it", async () => {
  await withTlsServer(null, (socket) => {
    socket.send("welcome");
    setTimeout(() => socket.close(1001, "idle"), 150);
  }, async (port) => {
    const args = [`wss://localhost:${port}/`, "--idle", "20s", "--timeout", "1s"];
    const { finding } = await diagnose(args);
    const { level, value, advice, details } = finding("idle");
    assert.equal(level, "warn");
    assert.match(value, /^closed by the server with 1001 "idle" after \d\.\d s$/);
    assert.match(advice, /more often than every \d+ s/);
    assert.deepEqual(details, ["the server sent 1 message meanwhile"]);
  });
});

Deno.test("doctor: --idle tells the Pings of a server, which may be what keeps it open", async () => {
  const rows: [pings: number, want: RegExp][] = [
    [1, /^the server sent 1 Ping meanwhile$/],
    [3, /^the server sent 3 Pings meanwhile, one in 0\.\d s$/],
  ];
  for (const [pings, want] of rows) {
    await withTlsServer(null, (socket) => {
      // The next goes when the one before is answered, so that each is on its own.
      let left = pings;
      const next = () => {
        if (left-- > 0) socket.ping();
        else socket.close(1001);
      };
      socket.on("pong", () => setTimeout(next, 60));
      next();
    }, async (port) => {
      const args = [`wss://localhost:${port}/`, "--idle", "20s", "--timeout", "1s"];
      const { details } = (await diagnose(args)).finding("idle");
      assert.equal(details.length, 1);
      assert.match(details[0], want);
    });
  }
});
