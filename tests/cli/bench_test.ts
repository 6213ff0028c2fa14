import assert from "node:assert/strict";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { run } from "../../src/cli/args.ts";
import { benchCommand } from "../../src/cli/bench.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";
import type { LoadReport } from "../../src/cli/load.ts";
import { serve } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { bench, withSockets } from "./bench_support.ts";
import { TestIo, withEcho, withFolder } from "./support.ts";

/** A port of the loopback that nobody listens at. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

function checkReport(report: LoadReport, sockets: number): void {
  const { roundTrips, roundTripsPerSecond, megabytesPerSecond, sizeBytes, seconds } = report;
  assert.equal(report.sockets, sockets);
  assert.equal(report.errors, 0, JSON.stringify(report.errorTexts));
  assert.ok(roundTrips >= sockets);
  assert.ok(Math.abs(roundTripsPerSecond - roundTrips / seconds) < 1e-6);
  assert.ok(Math.abs(megabytesPerSecond - roundTripsPerSecond * sizeBytes / 1e6) < 1e-6);
  for (const { p50, p90, p99, p999, max } of [report.latencyUs, report.connectUs]) {
    assert.ok(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= p999 && p999 <= max);
  }
}

Deno.test("bench: over HTTP/1.1, the URL alone or by its flag; the report as JSON", async () => {
  await withEcho(async ({ port }) => {
    const url = `ws://127.0.0.1:${port}/`;
    for (const args of [[url], ["--url", url], ["--text", url, "--size", "1KiB"]]) {
      const { code, out, err } = await bench(
        ...args,
        ...["--json", "--duration", "100ms", "--connections", "2", "--streams", "3"],
      );
      assert.deepEqual([code, err], [0, ""]);
      const report: LoadReport = JSON.parse(out);
      assert.deepEqual([report.url, report.http], [url, "1.1"]);
      checkReport(report, 6);
    }
  });
});

Deno.test("bench: over HTTP/3 through the proxy, with its own CA; the report for people", async () => {
  const pair = await makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
    await withEcho(async ({ port }) => {
      const config = readProxyConfig({
        ...{ backend: `ws://127.0.0.1:${port}`, listen: "127.0.0.1:0", metrics: "off" },
        "log-level": "off",
      });
      const serving = await serve(config, { pair });
      try {
        const load = ["--ca", `${folder}/ca.pem`, "--duration", "100ms", "--connections", "2"];
        for (const host of ["localhost", "127.0.0.1"]) {
          const url = `wss://${host}:${serving.proxy.port}/ws`;
          const { code, out, err } = await bench(url, ...load);
          assert.deepEqual([code, err], [0, ""]);
          assert.match(
            out,
            /^wss:\S+\/ws over HTTP\/3: 2 sockets on 2 connections, 64 bytes of binary, 0\.\d s\n/,
          );
          assert.match(out, /\nround trips +[\d,]+, [\d,]+\/s\n/);
          assert.match(out, /\nbytes +[\d.]+ [kM]?B\/s out, [\d.]+ [kM]?B\/s in\n/);
          assert.match(out, /\n +p50 +p90 +p99 +p99\.9 +p99\.99 +max\n/);
          assert.match(out, /\nlatency( +[\d.]+ m?s){6} {2}from when a message was sent; .*\n/);
          assert.match(out, /\nhandshake( +[\d.]+ m?s){6} {2}/);
          assert.match(out, /\nerrors +0\n$/);
        }
        const refused = await bench(`wss://localhost:${serving.proxy.port}/nope`, ...load);
        assert.deepEqual([refused.code, refused.out], [1, ""]);
        const untrusted = await bench(`wss://localhost:${serving.proxy.port}/ws`);
        assert.equal(untrusted.code, 1);
        assert.match(untrusted.err, /; --ca names the file of the CA .* \(10 of 10 failed\)\n$/);
        assert.match(
          refused.err,
          /^h3ws: Cannot open a WebSocket to .*HTTP\/3: the server answered 404 Not Found.*; check the path \(2 of 2 failed\)\n$/,
        );
      } finally {
        await serving.drain(0);
      }
    });
  });
});

Deno.test("bench: more --streams than the server takes are told in seconds, and the others run", async () => {
  const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/ca.pem`, pair.caPem);
    await withEcho(async ({ port }) => {
      const config = readProxyConfig({
        ...{ backend: `ws://127.0.0.1:${port}`, listen: "127.0.0.1:0", metrics: "off" },
        ...{ "log-level": "off", "max-streams": "4" },
      });
      const serving = await serve(config, { pair });
      try {
        const url = `wss://localhost:${serving.proxy.port}/ws`;
        const load = ["--connections", "1", "--streams", "50", "--duration", "100ms", "--json"];
        const startedMs = performance.now();
        const { code, out } = await bench(url, "--ca", `${folder}/ca.pem`, ...load);
        assert.ok(performance.now() - startedMs < 30_000);
        const report = JSON.parse(out) as LoadReport;
        assert.equal(code, 1);
        assert.ok(report.sockets >= 1 && report.sockets <= 4, `${report.sockets} sockets`);
        assert.ok(report.roundTrips >= 1);
        assert.equal(report.errors, 50 - report.sockets);
        const [text, ...more] = Object.keys(report.errorTexts);
        assert.deepEqual(more, []);
        assert.match(text, /^no answer within 10 s, with \d+ WebSockets open on the connection; /);
      } finally {
        await serving.drain(0);
      }
    });
  });
});

Deno.test("bench: --rate holds the round trips back", async () => {
  await withEcho(async ({ port }) => {
    const args = [`ws://127.0.0.1:${port}/`, "--json", "--duration", "1s", "--rate", "20"];
    const { code, out } = await bench(...args, "--connections", "2");
    assert.equal(code, 0);
    const { roundTrips } = JSON.parse(out) as LoadReport;
    assert.ok(roundTrips >= 2 && roundTrips <= 22, `${roundTrips} round trips`);
  });
});

Deno.test("bench: nobody there is one line, exit code 1; JSON all the same", async () => {
  const url = `ws://127.0.0.1:${freePort()}/`;
  const { code, out, err } = await bench(url, "--connections", "3");
  assert.deepEqual([code, out], [1, ""]);
  assert.match(
    err,
    /^h3ws: Cannot open a WebSocket to ws:\S+ over HTTP\/1\.1: .*refused.* \(3 of 3 failed\)\n$/,
  );
  const json = await bench(url, "--connections", "3", "--json");
  assert.equal(json.code, 1);
  const report = JSON.parse(json.out) as LoadReport;
  assert.deepEqual([report.sockets, report.errors, report.roundTrips], [0, 3, 0]);
});

Deno.test("bench: a signal ends it early, with the report of what was done", async () => {
  const io = new TestIo();
  let echoes = 0;
  const echo = (socket: WebSocket) =>
    socket.on("message", (data: Uint8Array) => {
      socket.send(data);
      // Each socket has had its first, whatever the machine does.
      if (++echoes === 100) io.stop();
    });
  await withSockets(echo, async ({ url }) => {
    const args = ["bench", url, "--json", "--duration", "1h"];
    assert.equal(await run(args, { commands: [benchCommand] }, io), 0);
    checkReport(JSON.parse(io.stdout), 10);
  });
});

Deno.test("bench: a signal while nothing answers ends it at once", async () => {
  // Holds the port, and reads nothing from it.
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    const io = new TestIo();
    const url = `wss://127.0.0.1:${(silent.addr as Deno.NetAddr).port}/ws`;
    const done = run(["bench", url], { commands: [benchCommand] }, io);
    await silent.receive();
    io.stop();
    assert.equal(await done, 1);
    assert.equal(io.stderr, `h3ws: Ended before a WebSocket to ${url} was open\n`);
  } finally {
    silent.close();
  }
});

const USAGE: [args: string[], err: RegExp][] = [
  [["--url", ""], /^h3ws: --url: "" is missing; allowed: wss:\/\/.*\n$/],
  [["foo"], /^h3ws: --url: "foo" is not the URL of a WebSocket; allowed: .*\n$/],
  [["ws://a.example", "x"], /^h3ws: bench: "x" is one url too many; allowed: .*\n$/],
  [["--size", "1KB"], /^h3ws: --size: "1KB" is not a size; allowed: .*: 64-4KiB\n$/],
  [["--size", "64-"], /^h3ws: --size: "64-" is not a size; allowed: .*\n$/],
  [["--size", "1-2-3"], /^h3ws: --size: "1-2-3" is not a size; allowed: .*\n$/],
  [["--size", "4KiB-64"], /^h3ws: --size: "4KiB-64" ends before it begins; allowed: .*\n$/],
  [["--size", "65MiB"], /^h3ws: --size: "65MiB" is out of range; allowed: 0 to 64MiB\n$/],
  [
    ["-1", "-3"],
    /^h3ws: --http: HTTP\/1\.1 and HTTP\/3 are both asked for; allowed: one version\n$/,
  ],
  [["--http", "2", "-3"], /^h3ws: --http: HTTP\/2 and HTTP\/3 are both asked for; /],
  [["-R", "10", "--think", "1s"], /^h3ws: --think: goes against --rate; allowed: without --rate: /],
  [["-R", "10", "--expected-interval", "1s"], /^h3ws: --expected-interval: goes against --rate; /],
  [["--text", "--binary"], /^h3ws: --text: goes against --binary; allowed: one of the two\n$/],
  [["--cert", "c"], /^h3ws: --cert: needs --key; allowed: both or neither\n$/],
  [["-c", "0"], /^h3ws: --connections: "0" is out of range; allowed: 1 to 1000000\n$/],
];

Deno.test("bench: a wrong command line is one line, exit code 2", async () => {
  for (const [args, want] of USAGE) {
    const isFlag = args.length === 0 || args[0].startsWith("-");
    const url = isFlag && !args.includes("--url") ? ["wss://a.example"] : [];
    const { code, out, err } = await bench(...url, ...args);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    assert.match(err, want);
  }
  const { code, err } = await bench("ws://a.example", "--http", "3");
  assert.deepEqual([code, err], [
    2,
    "h3ws: --http: 3 needs wss:// or https://, not ws://a.example/; allowed: 1.1, 2 or auto there\n",
  ]);
  const insecure = await bench("wss://a.example", "--insecure", "-3");
  assert.deepEqual([insecure.code, insecure.err], [
    2,
    "h3ws: --insecure: does nothing over HTTP/3; allowed: --ca, which names the CA to trust\n",
  ]);
});
