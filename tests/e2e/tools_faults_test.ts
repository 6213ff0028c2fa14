// What is wrong with a server, as connect, bench and doctor tell it: one clear line with the cause and
// what to try. Each fault by each tool and, where that makes a difference, each version of HTTP.
import assert from "node:assert/strict";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { run } from "../../src/cli/args.ts";
import { benchCommand } from "../../src/cli/bench.ts";
import { connectCommand } from "../../src/cli/connect.ts";
import { listenDoors } from "../../src/ingress/doors.ts";
import type { DoorsOptions } from "../../src/ingress/doors_options.ts";
import { sha1 } from "../../src/net/sha1.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { acceptFor } from "../../src/protocol/websocket/handshake.ts";
import { getField } from "../../src/protocol/wire/field.ts";
import { readOptions, type ServeOptions } from "../../src/server/options.ts";
import { serve } from "../../src/server/server.ts";
import { TestIo, withFolder } from "../cli/support.ts";
import { diagnose } from "../support/doctor.ts";
import { testCertificates } from "../support/proxy.ts";
import { makeCertificates } from "../../src/cli/certificates.ts";

type Body = (port: number, ca?: string) => Promise<void>;

/** What is to be told. */
interface Fault {
  name: string;
  /** Plays the server. */
  with(body: Body): Promise<void>;
  url(port: number): string;
  /** Of connect and bench; "" is what they choose. */
  versions: string[];
  connect: RegExp | ((version: string) => RegExp);
  bench: RegExp | ((version: string) => RegExp);
  /** One of the findings of doctor; what stands in the way of a browser is a fail, and 1. */
  doctor: { id: string; level: "fail" | "warn"; value: RegExp; advice: RegExp }[];
}

const tls = (port: number) => `wss://localhost:${port}/`;

async function tlsOptions(): Promise<ServeOptions> {
  const { certPem, keyPem } = await testCertificates();
  return { listen: "127.0.0.1:0", certPem, keyPem };
}

async function withNobody(body: Body): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  await body(listener.addr.port);
}

async function withOtherName(body: Body): Promise<void> {
  const { certPem, keyPem, caPem } = await makeCertificates({ hosts: ["other.example"], days: 1 });
  const listen = "127.0.0.1:0";
  const server = await serve({ listen, certPem, keyPem }, (request) => request.reject(403));
  await body(server.port!, caPem).finally(() => server.stop());
}

async function withRefusal(body: Body): Promise<void> {
  const server = await serve(
    await tlsOptions(),
    (request) => request.reject(403, [["content-type", "text/plain"]], "not from here\n"),
  );
  await body(server.port!).finally(() => server.stop());
}

/** TCP serves, and what comes by UDP is swallowed. */
async function withoutUdp(body: Body): Promise<void> {
  const udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = udp.addr as Deno.NetAddr;
  const options = { ...await tlsOptions(), listen: `127.0.0.1:${port}` };
  const server = await serve({ ...options, versions: { h3: false } }, async (request) => {
    const socket = await request.accept();
    for await (const message of socket) await socket.send(message);
  });
  await body(port).finally(() => server.stop()).finally(() => udp.close());
}

/** HTTP/2 that carries no WebSockets, and nothing else. */
async function withBareHttp2(body: Body): Promise<void> {
  const { certPem: cert, keyPem: key } = await testCertificates();
  const server = http2.createSecureServer({ cert, key });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await body((server.address() as AddressInfo).port).finally(() => server.close());
}

/** Answers the first byte of a WebSocket with a frame that there is none of (RFC 6455 §5.2). */
async function withBrokenFrames(body: Body): Promise<void> {
  const sweeper = new Sweeper(1_000);
  const nothing = () => {};
  const options: DoorsOptions = {
    ...readOptions(await tlsOptions()),
    ...{ tcp: true, tunnels: { h2: true, h3: true }, sweeper },
    observer: {
      ...{ rejected: nothing, failed: nothing, handshakeFailed: nothing, bug: nothing },
      ...{ connectionOpened: nothing, connectionClosed: nothing, prerequestClose: nothing },
    },
    async onOffer(offer) {
      const key = getField(offer.request.fields, "sec-websocket-key");
      const tunnel = await offer.accept(
        offer.request.http === "1.1" && key !== null
          ? [["upgrade", "websocket"], ["sec-websocket-accept", acceptFor(key, sha1)]]
          : [],
      );
      await tunnel.read();
      await tunnel.write(Uint8Array.of(0x83, 0x00)).catch(nothing);
      // The Close that tells of it.
      await tunnel.read().catch(nothing);
      tunnel.abort();
    },
  };
  const doors = await listenDoors(options);
  await body(doors.port).finally(() => doors.stop()).finally(() => sweeper.stop());
}

const ANY_VERSION = ["", "-1", "-2", "-3"];
const BY_TCP = ["", "-1", "-2"];

const FAULTS: Fault[] = [
  {
    name: "an unknown host",
    with: (body) => body(0),
    url: () => "wss://nosuch.invalid/",
    versions: ANY_VERSION,
    connect: /: no host nosuch\.invalid; is its name right, and is there a network\?$/,
    bench: /: there is no host "nosuch\.invalid"; check the name, or this machine's DNS \(/,
    doctor: [{ id: "dns", level: "fail", value: /^there is no such host$/, advice: /the name/ }],
  },
  {
    name: "a port where nobody listens",
    with: withNobody,
    url: tls,
    versions: BY_TCP,
    connect: /: nobody listens at localhost:\d+; does the server run, and is that its port\?$/,
    bench: /: connection refused: nothing listens on port \d+ of localhost; check the port, and /,
    doctor: [
      { id: "tcp", level: "fail", value: /^port \d+: nothing listens there$/, advice: /^Start/ },
    ],
  },
  {
    name: "a certificate of another name",
    with: withOtherName,
    url: tls,
    versions: ANY_VERSION,
    connect: /: its certificate is not for localhost; the URL has to have a name of the /,
    bench: /: the server's certificate is not for localhost .*; use a name that is in it \(/,
    doctor: [
      { id: "certificate", level: "fail", value: /is for other names$/, advice: /^Use a name/ },
      { id: "quic", level: "warn", value: /is for other names$/, advice: /^Use a name/ },
    ],
  },
  {
    name: "a 403 with a body",
    with: withRefusal,
    url: tls,
    versions: ANY_VERSION,
    connect: /: the server answered 403 Forbidden: not from here; --origin names the page that /,
    bench: /: the server answered 403 Forbidden, "not from here"; it may want another origin or /,
    doctor: ["ws_h1", "ws_h2", "ws_h3"].map((id) => ({
      ...{ id, level: "fail" },
      ...{ value: /^403 Forbidden, "not from here"$/, advice: /another origin \(-o\)/ },
    })),
  },
  {
    name: "HTTP/3 that is blocked",
    with: withoutUdp,
    url: tls,
    versions: ["-3"],
    connect: /: no answer from localhost:\d+ within 0\.5 s over UDP; .* or be blocked; try -1$/,
    bench: /: no answer within 0\.5 s; .* or UDP is blocked on the way: --http auto takes /,
    doctor: [{ id: "quic", level: "warn", value: /^no answer$/, advice: /^Open the UDP port/ }],
  },
  {
    name: "HTTP/2 without extended CONNECT, and no HTTP/1.1",
    with: withBareHttp2,
    url: tls,
    versions: ["", "-2"],
    connect: (version) =>
      version === "-2"
        ? /: the server announces no extended CONNECT .* RFC 8441 §3\); try -1$/
        : /: it takes WebSockets by neither HTTP\/2 nor HTTP\/1\.1; h3ws doctor tells what /,
    bench: (version) =>
      version === "-2"
        ? /: the server announces no extended CONNECT .* RFC 8441 §3\); --http auto takes what /
        : /: the server does not speak HTTP\/1\.1 there; h3ws doctor tells what it speaks \(/,
    doctor: [
      { id: "h2_settings", level: "warn", value: /^no extended CONNECT$/, advice: /RFC 8441/ },
      { id: "alpn", level: "fail", value: /not http\/1\.1$/, advice: /take http\/1\.1/ },
    ],
  },
];

interface Told {
  code: number;
  out: string;
  err: string;
}

async function tell(args: readonly string[]): Promise<Told> {
  const io = new TestIo();
  const code = await run(args, { commands: [connectCommand, benchCommand] }, io);
  return { code, out: io.stdout, err: io.stderr };
}

/** Runs it with a file of the CAs that are trusted. */
async function withCa(ca: string | undefined, body: (flags: string[]) => Promise<void>) {
  await withFolder(async (folder) => {
    const caPem = ca ?? (await testCertificates()).caPem;
    await Deno.writeTextFile(`${folder}/cas.pem`, caPem);
    await body(["--ca", `${folder}/cas.pem`]);
  });
}

const CONNECT = ["-x", "hi", "--one-message", "--wait", "5", "--timeout", "5"];
const BENCH = ["-c", "1", "-d", "200ms", "--timeout", "5s", "--ping-interval", "0"];

for (const fault of FAULTS) {
  const isBlocked = fault.versions[0] === "-3";
  const soon = (seconds: string) => isBlocked ? ["--timeout", seconds] : [];

  Deno.test(`connect and bench: ${fault.name} is one line with what to try, exit code 1`, () =>
    fault.with((port, ca) =>
      withCa(ca, async (trust) => {
        const url = fault.url(port);
        for (const version of fault.versions) {
          const by = version === "" ? [] : [version];
          for (
            const [tool, flags, want] of [
              ["connect", [...CONNECT, ...soon("0.5")], fault.connect],
              ["bench", [...BENCH, ...soon("500ms")], fault.bench],
            ] as const
          ) {
            const { code, out, err } = await tell([tool, url, ...trust, ...flags, ...by]);
            assert.deepEqual([code, out], [1, ""], `${tool} ${version}: ${err}`);
            assert.match(err, /^h3ws: Cannot open [^\n]+\n$/);
            assert.match(err.trim(), typeof want === "function" ? want(version) : want);
          }
        }
      })
    ));

  Deno.test(`doctor: ${fault.name} is a finding with what to do`, () =>
    fault.with((port, ca) =>
      withCa(ca, async (trust) => {
        const { code, finding } = await diagnose(
          [fault.url(port), ...trust, "--timeout", "1s", "--resolver", "127.0.0.1:9"],
          false,
        );
        for (const { id, level, value, advice } of fault.doctor) {
          const found = finding(id);
          assert.equal(found.level, level, id);
          assert.match(found.value, value);
          assert.match(found.advice, advice);
        }
        const isFail = fault.doctor.some(({ level }) => level === "fail");
        assert.equal(code, isFail ? 1 : 0);
      })
    ));
}

Deno.test("connect, bench, doctor: a broken frame of the server's is told with its rule, by each version", () =>
  withBrokenFrames((port) =>
    withCa(undefined, async (trust) => {
      for (const version of ["-1", "-2", "-3"]) {
        const connect = await tell(["connect", tls(port), ...trust, ...CONNECT, version]);
        // 1002, as the table of exit codes has it.
        assert.deepEqual([connect.code, connect.out], [12, ""], connect.err);
        assert.match(
          connect.err,
          /^connected by HTTP[^\n]+\nthe other side broke a rule of WebSocket: Frame opcode 0x3 is reserved \(1002\); it, or a proxy between, has to be mended\n$/,
        );
        const bench = await tell(["bench", tls(port), ...trust, ...BENCH, version]);
        assert.equal(bench.code, 1);
        assert.match(
          bench.out,
          /\n {2}1 × the server broke a rule of WebSocket: 1002 "Frame opcode 0x3 is reserved"\n/,
        );
      }
      const { code, finding } = await diagnose([tls(port), ...trust, "--timeout", "5s"], false);
      assert.equal(code, 1);
      for (const n of [1, 2, 3]) {
        const { level, value, advice } = finding(`rtt_h${n}`);
        const rule = "the server broke a rule of WebSocket: Frame opcode 0x3 is reserved (1002)";
        assert.deepEqual([level, value], ["fail", rule]);
        assert.match(advice, /^Have the server or the proxy before it mended/);
        assert.equal(finding(`close_h${n}`).value, `it had ended before: ${rule}`);
      }
    })
  ));

Deno.test("connect, bench: a URL that is none is a wrong command line, exit code 2", async () => {
  for (const tool of ["connect", "bench"]) {
    for (const url of ["foo", "ftp://a.example/", "wss://a.example/#x", "wss://"]) {
      const { code, out, err } = await tell([tool, url]);
      assert.deepEqual([code, out], [2, ""]);
      const want = `h3ws: --url: "${url}" is not the URL of a WebSocket; allowed: ` +
        "wss://host:port/path or ws://host:port/path\n";
      assert.equal(err, want);
    }
  }
});
