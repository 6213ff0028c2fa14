// deno-lint-ignore-file no-control-regex -- what a terminal obeys
// h3ws bench and h3ws doctor on a terminal: what is seen while they run, and Ctrl+C.
import assert from "node:assert/strict";
import { withEcho } from "./support.ts";
import { hasTerminals, OnTerminal } from "../support/terminal.ts";

const CTRL_C = "\x03";

/** Declares a test that is skipped where there are no terminals, and says so. */
function terminalTest(name: string, body: () => Promise<void>): void {
  const ignore = !hasTerminals();
  const why = ignore ? " (skipped: no Python with terminals)" : "";
  Deno.test(`${name} on a terminal${why}`, { ignore }, body);
}

terminalTest(
  "bench: the view goes on until Ctrl+C, and gives way to the report",
  () =>
    withEcho(async ({ port }) => {
      const url = `ws://127.0.0.1:${port}/`;
      const args = ["bench", url, "-c", "2", "-d", "1h", "-R", "200"];
      await using terminal = OnTerminal.start(args);
      await terminal.shows(`${url} over HTTP/1.1`);
      // Each block is drawn over the one before.
      for (let i = 0; i < 2; i++) {
        await terminal.shows(/running +░{24} \d\.\d s of 3600\.0 s/);
        await terminal.shows(/sockets +2 of 2/);
        await terminal.shows(/round trips +[1-9]\d*, [1-9]\d*\/s/);
        await terminal.shows(/errors +0/);
      }
      await terminal.type(CTRL_C);
      await terminal.shows(`${url} over HTTP/1.1: 2 sockets, 64 bytes of binary, `);
      await terminal.shows(", ended early\r\n");
      await terminal.shows(/\nerrors +0\r\n/);
      assert.equal(await terminal.code(), 0);
      // What the view drew is cleared, so that the report begins at the left of an empty line.
      const [, report] = terminal.raw.split("\x1b[7A\r\x1b[J");
      assert.ok(report.replace(/^\^C/, "").startsWith(`${url} over HTTP/1.1: 2 sockets`), report);
      assert.doesNotMatch(report, /\x1b/);
    }),
);

terminalTest("bench: Ctrl+C before anything is open is told in one line, exit code 1", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const url = `ws://127.0.0.1:${listener.addr.port}/`;
    await using terminal = OnTerminal.start(["bench", url, "-c", "1"]);
    await terminal.shows(/opening +\d\.\d s/);
    await terminal.type(CTRL_C);
    await terminal.shows(`h3ws: Ended before a WebSocket to ${url} was open\r\n`);
    assert.equal(await terminal.code(), 1);
  } finally {
    listener.close();
  }
});

terminalTest(
  "bench --json: stdout has one line whatever stderr shows",
  () =>
    withEcho(async ({ port }) => {
      const args = ["bench", `ws://127.0.0.1:${port}/`, "-c", "1", "-d", "700ms", "--json"];
      await using terminal = OnTerminal.start(args);
      await terminal.shows(/running +[█░]{24}/);
      assert.equal(await terminal.code(), 0);
      const line = terminal.raw.split("\x1b[J").at(-1)!;
      assert.equal(JSON.parse(line).stoppedEarly, false);
    }),
);

terminalTest(
  "doctor: levels are coloured, and NO_COLOR heeded",
  () =>
    withEcho(async ({ port }) => {
      const url = `ws://127.0.0.1:${port}/`;
      for (const isColoured of [true, false]) {
        // https://no-color.org: an empty one says nothing, whatever this process has.
        const env = { NO_COLOR: isColoured ? "" : "1" };
        await using terminal = OnTerminal.start(["doctor", url, "--echo"], env);
        await terminal.shows(/ok +WebSocket, HTTP\/1\.1 +101 Switching Protocols in /);
        await terminal.shows(/\n\d+ findings: 0 fail, /);
        assert.equal(await terminal.code(), 0);
        const green = "\x1b[32mok  \x1b[0m  WebSocket, HTTP/1.1";
        assert.equal(terminal.raw.includes(green), isColoured);
        if (!isColoured) assert.doesNotMatch(terminal.raw, /\x1b\[\d*m/);
      }
    }),
);

terminalTest(
  "doctor --idle: what is known is shown meanwhile; Ctrl+C ends it, exit code 1",
  () =>
    withEcho(async ({ port }) => {
      const url = `ws://127.0.0.1:${port}/`;
      await using terminal = OnTerminal.start(["doctor", url, "--idle", "1h"], { NO_COLOR: "1" });
      await terminal.shows(/ok +Close, HTTP\/1\.1 +answered with 1000/);
      assert.doesNotMatch(terminal.raw, /findings/);
      await terminal.type(CTRL_C);
      await terminal.shows(/skip +Idle +it was ended before/);
      assert.equal(await terminal.code(), 1);
    }),
);
