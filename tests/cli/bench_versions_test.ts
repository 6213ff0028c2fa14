// `h3ws bench` through the proxy of this repository to its echo, by every HTTP version.
import assert from "node:assert/strict";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import type { LoadReport } from "../../src/cli/load.ts";
import { bench, benchJson, type Served, withServed } from "./bench_support.ts";
import { withEcho } from "./support.ts";

const SHORT = ["--duration", "300ms", "--ping-interval", "50ms"];

interface Row {
  name: string;
  args: string[];
  url: (served: Served) => string;
  http: string;
  /** For four sockets. */
  connections: number;
}

const tls = ({ port }: Served) => `wss://localhost:${port}/ws`;
const plain = ({ plainPort }: Served) => `ws://127.0.0.1:${plainPort}/ws`;

const ROWS: Row[] = [
  { name: "-1", args: ["-1"], url: tls, http: "1.1", connections: 4 },
  { name: "-2", args: ["-2"], url: tls, http: "2", connections: 2 },
  { name: "-3", args: ["-3"], url: tls, http: "3", connections: 2 },
  { name: "auto", args: [], url: tls, http: "3", connections: 2 },
  { name: "--insecure", args: ["--insecure"], url: tls, http: "2", connections: 2 },
  { name: "in the clear", args: [], url: plain, http: "1.1", connections: 4 },
  { name: "--http 2 in the clear", args: ["--http", "2"], url: plain, http: "2", connections: 2 },
];

function checkCounts(report: LoadReport): void {
  const { messages, roundTrips, sessions, latencyUs, intervals } = report;
  assert.deepEqual(report.errorTexts, {});
  assert.deepEqual(sessions, { opened: 4, closed: 4, lost: 0, failed: 0 });
  assert.ok(roundTrips > 0);
  assert.deepEqual([messages.sent, messages.received], [roundTrips, roundTrips]);
  assert.equal(messages.unanswered, 0);
  assert.equal(latencyUs.count, roundTrips);
  assert.equal(report.bytesReceived, report.bytesSent);
  const sum = (key: "roundTrips" | "bytesSent" | "bytesReceived") =>
    intervals.reduce((all, one) => all + one[key], 0);
  assert.equal(sum("roundTrips"), roundTrips);
  assert.equal(sum("bytesSent"), report.bytesSent);
  assert.equal(sum("bytesReceived"), report.bytesReceived);
  for (const times of [latencyUs, report.connectUs, report.handshakeUs, report.pingUs]) {
    const { min, mean, p50, p90, p95, p99, p999, p9999, max } = times;
    const rising = [1, min, p50, p90, p95, p99, p999, p9999, max];
    assert.deepEqual(rising.toSorted((a, b) => a - b), rising);
    assert.ok(mean >= min && mean <= max);
  }
}

Deno.test("bench: by every HTTP version through the proxy, open and closed model", async (t) => {
  await withServed({}, async (served) => {
    for (const { name, args, url, http, connections } of ROWS) {
      await t.step(name, async () => {
        const all = [url(served), ...args, ...SHORT, "--streams", "2", "-c", "2"];
        const trusted = name === "--insecure" ? [] : ["--ca", served.ca];
        const closed = await benchJson(...all, ...trusted);
        assert.equal(closed.code, 0);
        checkCounts(closed.report);
        const { model, correction } = closed.report;
        assert.deepEqual([closed.report.http, model, correction], [http, "closed", "none"]);
        assert.equal(closed.report.connections, connections);
        assert.equal(closed.report.connectUs.count, connections);
        assert.equal(closed.report.handshakeUs.count, 4);

        const open = await benchJson(...all, ...trusted, "-R", "200", "--text", "--size", "1-2KiB");
        assert.equal(open.code, 0);
        checkCounts(open.report);
        assert.deepEqual([open.report.model, open.report.correction], ["open", "schedule"]);
        // 0.3 s at 200 a second, whatever the machine does meanwhile.
        assert.equal(open.report.messages.due, 60);
        assert.equal(open.report.messages.sent, 60);
        const mean = open.report.bytesSent / 60;
        assert.ok(mean > 100 && mean < 2_000, `${mean} bytes on average`);
      });
    }
  });
});

Deno.test("bench: --compress is agreed on with the echo behind the proxy, and bytes are the same", async () => {
  await withServed({}, async ({ port, ca }) => {
    for (const version of ["-1", "-2", "-3"]) {
      const { code, report } = await benchJson(
        ...[`wss://localhost:${port}/ws`, version, "--ca", ca, "-c", "2", "-d", "200ms"],
        ...["--compress", "--text", "--size", "4KiB"],
      );
      assert.equal(code, 0, JSON.stringify(report.errorTexts));
      assert.deepEqual([report.deflated, report.sockets], [2, 2]);
      assert.equal(report.bytesReceived, report.roundTrips * 4096);
    }
  });
});

Deno.test("bench: a server without extended CONNECT is told as such; auto falls back, and HTTP/3 is left out with --insecure", async () => {
  await withServed({}, async ({ port, ca, pair }) => {
    // A server of HTTP/2 without RFC 8441, and by itself without HTTP/3.
    const server = http2.createSecureServer({ cert: pair.certPem, key: pair.keyPem });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const bare = `wss://localhost:${(server.address() as AddressInfo).port}/`;
      const two = await bench(bare, "-2", "--ca", ca, "-c", "2");
      assert.deepEqual([two.code, two.out], [1, ""]);
      assert.match(
        two.err,
        /over HTTP\/2: the server announces no extended CONNECT .*; --http auto takes .* \(2 of 2 failed\)\n$/,
      );
      // It does not speak HTTP/1.1 either, so there is nothing left.
      const auto = await bench(bare, "--ca", ca, "-c", "1");
      assert.equal(auto.code, 1);
      assert.match(
        auto.err,
        /over HTTP\/1\.1: the server does not speak HTTP\/1\.1 there; h3ws doctor /,
      );
    } finally {
      server.close();
    }
    const insecure = await benchJson(`wss://localhost:${port}/ws`, "--insecure", "-d", "50ms");
    assert.equal(insecure.report.http, "2");
  });
});

Deno.test("bench: auto finds a server that is there by UDP alone, and tells of its certificate", async () => {
  await withServed({ tcp: "off" }, async ({ port, ca }) => {
    const url = `wss://localhost:${port}/ws`;
    const { code, report } = await benchJson(url, "--ca", ca, "-d", "50ms");
    assert.deepEqual([code, report.http], [0, "3"]);
    const untrusted = await bench(url);
    assert.equal(untrusted.code, 1);
    assert.match(untrusted.err, /over HTTP\/3: the server's certificate is signed by nobody who /);
  });
});

Deno.test("bench: auto takes HTTP/1.1 where HTTP/2 carries no WebSockets", async () => {
  await withServed({ "h2-websocket": "off", "h3-websocket": "off" }, async ({ port, ca }) => {
    const { code, report } = await benchJson(
      `wss://localhost:${port}/ws`,
      "--ca",
      ca,
      "-d",
      "50ms",
    );
    assert.deepEqual([code, report.http], [0, "1.1"]);
  });
});

Deno.test("bench: --cert and --key show who it is, by TCP alone", async () => {
  await withServed({ "client-ca": "CA" }, async ({ port, ca, pair, folder }) => {
    const [cert, key] = [`${folder}/client.pem`, `${folder}/client-key.pem`];
    await Deno.writeTextFile(cert, pair.client!.certPem);
    await Deno.writeTextFile(key, pair.client!.keyPem);
    const args = [`wss://localhost:${port}/ws`, "--ca", ca, "-d", "50ms", "-c", "2"];
    const shown = [...args, "--cert", cert, "--key", key];
    for (const [version, http] of [["-1", "1.1"], ["-2", "2"], ["--http=auto", "2"]]) {
      const { code, report } = await benchJson(...shown, version);
      assert.deepEqual([code, report.http, report.errorTexts], [0, http, {}]);
      const without = await bench(...args, version === "--http=auto" ? "-2" : version);
      assert.equal(without.code, 1);
      assert.match(
        without.err,
        /a client's certificate that it trusts; --cert and --key show one /,
      );
    }
    const { code, err } = await bench(...shown, "-3");
    const want = "h3ws: --cert: can't be shown over HTTP/3; allowed: -1 or -2, which show it\n";
    assert.deepEqual([code, err], [2, want]);
    const none = await bench(...args, "--cert", "none.pem", "--key", key);
    assert.deepEqual([none.code, none.err], [1, "h3ws: Cannot read none.pem: no such file\n"]);
  });
});

Deno.test("bench: a certificate of another name is told as such, by every version", async () => {
  await withServed({}, async ({ port, ca }) => {
    for (const version of ["-1", "-2", "-3"]) {
      const { code, err } = await bench(`wss://localhost:${port}/ws`, version, "--ca", ca);
      assert.equal(code, 1);
      assert.match(err, /: the server's certificate is not for localhost .*; use a name /);
      assert.equal(err.trim().split("\n").length, 1);
    }
  }, ["other.example"]);
});

const NOBODY: [name: string, args: string[], want: RegExp][] = [
  [
    "an unknown host",
    ["ws://nobody.invalid/"],
    /there is no host "nobody\.invalid"; check the name/,
  ],
  [
    "TLS where there is none",
    ["wss://127.0.0.1:ECHO/", "-1"],
    /does not speak TLS; try ws: in place/,
  ],
  ["HTTP/2 where there is none", ["ws://127.0.0.1:ECHO/", "-2"], /; .*try --http 1\.1 \(/],
];

Deno.test("bench: what can't be reached is one line, with what to try", async () => {
  await withEcho(async ({ port }) => {
    for (const [name, args, want] of NOBODY) {
      const { code, out, err } = await bench(...args.map((arg) => arg.replace("ECHO", `${port}`)));
      assert.deepEqual([code, out], [1, ""], name);
      assert.match(err, want);
      assert.match(err, /^h3ws: Cannot open a WebSocket to [^\n]* \(10 of 10 failed\)\n$/);
    }
  });
});
