import "../../src/cli/reflect_metadata.ts";
import {
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import assert from "node:assert/strict";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { startEcho } from "../../src/cli/echo_server.ts";
import { serve, type Serving } from "../../src/cli/serve.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { diagnose, doctor, withTlsServer } from "../support/doctor.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../cli/support.ts";

async function withServing(
  flags: Record<string, string>,
  body: (serving: Serving) => Promise<void>,
): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  const config = readProxyConfig({
    ...{ backend: `ws://127.0.0.1:${echo.port}`, listen: "127.0.0.1:0", metrics: "off" },
    ...{ "log-level": "off", ...flags },
  });
  const serving = await serve(config, { pair: await testCertificates() });
  try {
    await body(serving);
  } finally {
    await serving.drain(0);
    await echo.close();
  }
}

const IDS = [
  ...["dns", "dns_https", "tcp", "tls", "certificate", "alpn", "quic", "udp", "h3_settings"],
  ...["h2_settings", "ws_h1", "ws_h2", "ws_h3", "alt_svc", "subprotocol", "extensions"],
  ...["rtt_h1", "rtt_h2", "rtt_h3", "close_h1", "close_h2", "close_h3", "idle"],
  ...["local_udp", "local_mtu", "local_proxy"],
];
const VERSIONS = ["1", "2", "3"];

Deno.test("doctor: of the proxy all is well, by each version", async () => {
  await withServing({}, async ({ proxy }) => {
    const url = `wss://localhost:${proxy.port}/ws`;
    const { code, report, at, finding } = await diagnose([
      ...[url, "-s", "chat", "-s", "other", "--echo", "--idle", "50ms", "-H", "x-a: b"],
    ]);
    const notOk = report.findings.filter(({ id, level }) => level !== "ok" && !/^local/.test(id));
    assert.deepEqual(notOk.map(({ id }) => id), ["dns_https", "certificate"], "a day is left");
    assert.deepEqual([code, report.ok, report.url], [0, true, url]);
    assert.deepEqual(Object.keys(report), ["url", "ok", "tookMs", "findings"]);
    assert.deepEqual(report.findings.map(({ id }) => id), IDS);
    for (const one of report.findings) {
      const keys = ["id", "level", "title", "value", "advice", "details"];
      assert.deepEqual(Object.keys(one), keys);
    }
    assert.match(at("tls")[1], /^TLS 1\.3, TLS_\w+ in [\d.]+ ms$/);
    assert.match(at("alpn")[1], /^h2, http\/1\.1; it chooses h2$/);
    assert.match(at("quic")[1], /^v1, ALPN h3, 127\.0\.0\.1:\d+ in /);
    assert.match(at("udp")[1], /^port \d+ answers in [\d.]+ ms, QUIC v1/);
    assert.deepEqual(at("alt_svc"), ["ok", `h3=":${proxy.port}"; ma=86400`]);
    assert.deepEqual(at("subprotocol"), ["ok", "chat"]);
    assert.match(at("extensions")[1], /^permessage-deflate/);
    assert.match(at("ws_h1")[1], /^101 Switching Protocols in /);
    assert.match(at("ws_h2")[1], /^200 OK in /);
    assert.match(at("ws_h3")[1], /^200 OK in /);
    for (const version of VERSIONS) {
      assert.match(at(`rtt_h${version}`)[1], /^Ping [\d.]+ ms, echo [\d.]+ ms$/);
      assert.match(at(`close_h${version}`)[1], /^answered with 1000 in /);
      assert.ok(finding(`ws_h${version}`).details.includes("sec-websocket-protocol: chat"));
    }
    for (const id of ["h2_settings", "h3_settings"]) {
      assert.ok(finding(id).details.includes("ENABLE_CONNECT_PROTOCOL = 1"), id);
    }
    assert.match(at("idle")[1], /^open after 0\.\d s/);
    await proxyIsIdle(proxy);
  });
});

/** Nothing of a doctor's is left open at a server. */
async function proxyIsIdle(proxy: Serving["proxy"]): Promise<void> {
  await until("the end of all sessions", () => proxy.sessions === 0);
}

Deno.test("doctor: the table, aligned and without colours", async () => {
  await withServing({}, async ({ proxy }) => {
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/ca.pem`, (await testCertificates()).caPem);
      const url = `wss://localhost:${proxy.port}/ws`;
      const { code, out, err } = await doctor([url, "--ca", `${folder}/ca.pem`]);
      assert.deepEqual([code, err], [0, ""]);
      assert.ok(out.startsWith(`${url}\n\nok    DNS                   127.0.0.1 (`), out);
      assert.match(out, /\nok {4}WebSocket, HTTP\/2 {5}200 OK in .*\n {28}\S/);
      assert.match(out, /\n\n26 findings: 0 fail, \d warn, \d+ ok, \d skip\n$/);
      // deno-lint-ignore no-control-regex -- that is the point
      assert.doesNotMatch(out, /[\x00-\x09\x0b-\x1f]/);
    });
  });
});

Deno.test("doctor: what stands on a certificate that is not trusted is not tried; -n goes on, and is no pardon", async () => {
  await withServing({}, async ({ proxy }) => {
    const url = `wss://localhost:${proxy.port}/ws`;
    const { code, at, finding } = await diagnose([url], false);
    assert.equal(code, 1);
    assert.deepEqual(at("certificate"), [
      "fail",
      "the certificate is signed by nobody who is trusted",
    ]);
    assert.match(finding("certificate").advice, /--ca/);
    assert.ok(finding("certificate").details.includes("names: localhost, 127.0.0.1"));
    assert.deepEqual(at("quic"), ["warn", at("certificate")[1]]);
    assert.equal(at("h2_settings")[0], "ok");
    for (const id of ["ws_h1", "ws_h2", "rtt_h1", "close_h2"]) {
      assert.deepEqual(at(id), ["skip", "the certificate is not trusted; -n goes on all the same"]);
    }
    const unchecked = await diagnose([url, "-n"], false);
    // What is behind it is tried, and a browser does not get so far all the same.
    assert.equal(unchecked.code, 1);
    assert.deepEqual(unchecked.finding("certificate"), finding("certificate"));
    const failed = unchecked.report.findings.filter(({ level }) => level === "fail");
    assert.deepEqual(failed.map(({ id }) => id), ["certificate"]);
    assert.equal(unchecked.report.ok, false);
    for (const version of VERSIONS) assert.equal(unchecked.at(`close_h${version}`)[0], "ok");
  });
});

Deno.test("doctor: ws:// has HTTP/1.1 alone", async () => {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    const { code, at } = await diagnose([`ws://127.0.0.1:${echo.port}/`, "--echo"]);
    assert.equal(code, 0);
    for (const id of ["ws_h1", "rtt_h1", "close_h1", "extensions"]) assert.equal(at(id)[0], "ok");
    for (const id of ["tls", "certificate", "alpn", "h2_settings", "ws_h2", "alt_svc"]) {
      assert.deepEqual(at(id), ["skip", "ws:// has no TLS"], id);
    }
    for (const id of ["quic", "udp", "ws_h3"]) {
      assert.deepEqual(at(id), ["skip", "HTTP/3 needs wss://"], id);
    }
  } finally {
    await echo.close();
  }
});

Deno.test("doctor: npm ws behind TLS: no HTTP/2, and UDP where nobody listens", async () => {
  await withTlsServer(null, () => {}, async (port) => {
    const { code, at } = await diagnose([`wss://localhost:${port}/`, "--timeout", "1s"]);
    assert.equal(code, 0);
    assert.deepEqual(at("h2_settings"), ["skip", "the server does not take h2 by ALPN"]);
    assert.deepEqual(at("ws_h2"), ["skip", "the server does not take h2 by ALPN"]);
    assert.deepEqual(at("quic"), ["warn", "no answer"]);
    assert.deepEqual(at("h3_settings"), ["skip", "QUIC does not answer"]);
    const linux = Deno.build.os === "linux";
    const value = linux
      ? `nothing listens on port ${port}`
      : `port ${port} is silent: nothing listens, or it is blocked`;
    assert.deepEqual(at("udp"), ["warn", value]);
    assert.equal(at("ws_h1")[0], "ok");
    assert.equal(at("alt_svc")[0], "ok");
  });
});

Deno.test("doctor: UDP that is swallowed is silent, and Alt-Svc to it is told", async () => {
  const onSocket = () => {};
  await withTlsServer(null, onSocket, async (port, server) => {
    const alternative = `h3=":${port}"; ma=60`;
    server.on("request", (_, response) => response.setHeader("alt-svc", alternative).end());
    const hole = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
    try {
      const { code, at } = await diagnose([`wss://localhost:${port}/`, "--timeout", "1s"]);
      assert.equal(code, 0);
      assert.deepEqual(at("udp"), [
        "warn",
        `port ${port} is silent: nothing listens, or it is blocked`,
      ]);
      assert.deepEqual(at("alt_svc"), ["warn", `${alternative}, but QUIC does not work there`]);
    } finally {
      hole.close();
    }
  });
});

Deno.test("doctor: node:http2 without extended CONNECT and without HTTP/1.1 is of no use to a browser", async () => {
  const { certPem, keyPem } = await testCertificates();
  const server = createSecureServer({ cert: certPem, key: keyPem });
  server.on("request", (_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { code, at, finding } = await diagnose([`wss://localhost:${port}/`, "--timeout", "1s"]);
    assert.equal(code, 1);
    assert.deepEqual(at("h2_settings"), ["warn", "no extended CONNECT"]);
    assert.match(finding("h2_settings").advice, /RFC 8441/);
    assert.deepEqual(at("ws_h2"), ["skip", "the server announces no WebSockets over HTTP/2"]);
    assert.deepEqual(at("alpn"), ["fail", "h2, but not http/1.1"]);
    assert.deepEqual(at("ws_h1"), ["skip", "the server does not take http/1.1 by ALPN"]);
    assert.deepEqual(at("extensions"), ["skip", "no WebSocket opened"]);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});

const CERTIFICATES = [
  { name: "expired", hosts: ["localhost"], days: -0.01, want: /not valid at this time/ },
  { name: "of another name", hosts: ["other.example"], days: 1, want: /for other names/ },
];

Deno.test("doctor: certificates that are expired and of another name", async () => {
  for (const { name, hosts, days, want } of CERTIFICATES) {
    const { certPem: cert, keyPem: key, caPem } = await makeCertificates({ hosts, days });
    await withFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/ca.pem`, caPem);
      await withTlsServer({ cert, key }, () => {}, async (port) => {
        const args = [`wss://localhost:${port}/`, "--ca", `${folder}/ca.pem`, "--timeout", "1s"];
        const { code, at, finding } = await diagnose(args, false);
        assert.equal(code, 1, name);
        assert.equal(at("certificate")[0], "fail", name);
        assert.match(at("certificate")[1], want, name);
        assert.notEqual(finding("certificate").advice, "");
        assert.equal(at("ws_h1")[0], "skip");
      });
    });
  }
});

Deno.test("doctor: a certificate that is signed by itself", async () => {
  const { cert, key } = await selfSigned();
  await withTlsServer({ cert, key }, () => {}, async (port) => {
    const { code, at } = await diagnose([`wss://localhost:${port}/`, "--timeout", "1s"], false);
    assert.equal(code, 1);
    assert.deepEqual(at("certificate"), ["fail", "the certificate is signed by itself"]);
  });
});

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: PemConverter.encode(pkcs8, "PRIVATE KEY") };
}

Deno.test("doctor: a server that wants a client's certificate gets the one of --cert and --key", async () => {
  const { certPem, keyPem, caPem, client } = await makeCertificates({
    ...{ hosts: ["localhost"], days: 30, client: "alice" },
  });
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const tls = { cert: certPem, key: keyPem, ca: [caPem], maxVersion };
    const wants = { ...tls, requestCert: true, rejectUnauthorized: true };
    await withTlsServer(wants, () => {}, (port) =>
      withFolder(async (folder) => {
        const [ca, cert, key] = ["ca", "cert", "key"].map((name) => `${folder}/${name}.pem`);
        await Deno.writeTextFile(ca, caPem);
        await Deno.writeTextFile(cert, client!.certPem);
        await Deno.writeTextFile(key, client!.keyPem);
        const args = [`wss://localhost:${port}/`, "--ca", ca, "--timeout", "1s"];
        const without = await diagnose(args, false);
        assert.equal(without.code, 1);
        const told = without.report.findings.filter(({ level }) => level === "fail");
        const want = "the server wants a client's certificate that it trusts";
        assert.deepEqual(told.map(({ value }) => value), [want]);
        assert.match(told[0].advice, /--cert and --key show it here\.$/);
        const { code, at } = await diagnose([...args, "--cert", cert, "--key", key], false);
        assert.equal(at("ws_h1")[0], "ok");
        assert.equal(code, 0);
      }));
  }
});
