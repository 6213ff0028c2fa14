// RFC 9110 §7.6.1, §9.3.6, §11.7: what of the HTTP proxy's is for one hop, and goes no further.
import assert from "node:assert/strict";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { TunnelRefused, type TunnelTarget } from "../../src/tunnel/target.ts";
import { Users } from "../../src/tunnel/users.ts";
import { until } from "../support/until.ts";
import { Raw, withRawTarget } from "./raw.ts";
import { LOOPBACK, withTunnel } from "./support.ts";

const users = () => new Users([{ name: "bob", password: "pass" }]);
const PASSWORD = `Proxy-Authorization: Basic ${btoa("bob:pass")}\r\n`;

Deno.test("http front: RFC 9110 §7.6.1: fields of one hop go neither way, nor such as Connection names", async () => {
  const http = { listen: LOOPBACK, users: users() };
  await withTunnel({ transports: ["ws"], gateway: { http } }, async ({ gateway }) => {
    await withRawTarget(async ({ port, accept }) => {
      using client = await Raw.connect(gateway.httpPort!);
      await client.send(
        `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n${PASSWORD}` +
          "Connection: Keep-Alive, X-One\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\n" +
          "Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nTE: gzip\r\nX-Two: 2\r\n" +
          "Forwarded: for=192.0.2.1\r\n\r\n",
      );
      const target = await accept();
      const head = (await target.until("\r\n\r\n")).toLowerCase();
      for (const name of ["x-one", "keep-alive", "proxy-connection", "proxy-authorization", "te"]) {
        assert.ok(!head.includes(`\r\n${name}:`), `${name} in ${head}`);
      }
      assert.ok(head.includes("\r\nx-two: 2\r\n") && head.includes("\r\nvia: 1.1 h3ws\r\n"), head);
      await target.send(
        "HTTP/1.1 407 No\r\nConnection: X-Three\r\nX-Three: 3\r\nKeep-Alive: timeout=9\r\n" +
          "Proxy-Authenticate: Basic realm=a\r\nProxy-Connection: close\r\nX-Four: 4\r\n" +
          "Content-Length: 2\r\n\r\nno",
      );
      const answer = (await client.until("\r\n\r\nno")).toLowerCase();
      assert.match(answer, /^http\/1\.1 407 /);
      for (const name of ["x-three", "keep-alive", "proxy-connection"]) {
        assert.ok(!answer.includes(`\r\n${name}:`), `${name} in ${answer}`);
      }
      assert.ok(answer.includes("\r\nx-four: 4\r\n"), answer);
    });
  });
});

Deno.test("http front: RFC 9110 §15.5.8: 407 asks for a password, and keeps the connection, but behind CONNECT", async () => {
  const http = { listen: LOOPBACK, users: users() };
  await withTunnel({ transports: ["ws"], gateway: { http } }, async ({ gateway, told }) => {
    await withRawTarget(async ({ port, accept }) => {
      const wrong = `Proxy-Authorization: Basic ${btoa("bob:no")}\r\n`;
      const bearer = "Proxy-Authorization: Bearer x\r\n";
      const get = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n`;
      using getter = await Raw.connect(gateway.httpPort!);
      for (const fields of ["", wrong, bearer, PASSWORD + PASSWORD]) {
        await getter.send(`${get}${fields}\r\n`);
        const answer = await getter.until("\r\n\r\n");
        assert.match(answer, /^HTTP\/1\.1 407 /);
        assert.match(answer, /\r\nproxy-authenticate: Basic realm="proxy", charset="UTF-8"\r\n/i);
        assert.match(answer, /\r\ncontent-length: 0\r\n/i);
      }
      const connect = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n`;
      // What follows a CONNECT may be the target's bytes already: no request is looked for in them.
      using refused = await Raw.connect(gateway.httpPort!);
      await refused.send(`${connect}\r\n${get}${PASSWORD}\r\n`);
      const answer = await refused.rest();
      assert.match(answer, /^HTTP\/1\.1 407 [^]*\r\nconnection: close\r\n\r\n$/i);
      using client = await Raw.connect(gateway.httpPort!);
      await client.send(`${connect}${PASSWORD}\r\n`);
      const target = await accept();
      // RFC 9110 §9.3.6: neither Transfer-Encoding nor Content-Length.
      assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
      await client.send("hello");
      assert.equal(await target.until("hello"), "hello");
      assert.equal(told.lines.filter((line) => line.startsWith("auth http bob")).length, 1);
    });
  });
});

Deno.test("http front: CONNECT and URIs name IPv6, names and ports; what they say of users is refused", async () => {
  const seen: string[] = [];
  const connect = ({ host, port }: TunnelTarget) => {
    seen.push(`${host} ${port}`);
    return Promise.reject(new TunnelRefused(TunnelCode.FORBIDDEN_HOST, "no"));
  };
  const status = async (port: number, request: string) => {
    using client = await Raw.connect(port);
    await client.send(`${request} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return /^HTTP\/1\.1 (\d+) /.exec(await client.until("\r\n\r\n"))?.[1];
  };
  await withTunnel({ transports: ["ws"], agent: { connect } }, async ({ gateway }) => {
    for (
      const request of [
        ...["CONNECT [2001:db8::1]:443", "CONNECT A.Example:65535", "CONNECT 192.0.2.1:1"],
        ...["GET http://[::1]/", "GET http://a.example", "HEAD HTTP://a.example:81/?x"],
      ]
    ) assert.equal(await status(gateway.httpPort!, request), "403", request);
    for (
      const request of [
        ...[
          "CONNECT a@a.example:1",
          "CONNECT a.example:65536",
          "CONNECT :1",
          "CONNECT http://a:1/",
        ],
        ...["CONNECT 2001:db8::1:443", "CONNECT a.example:1/x", "GET http://:80/", "GET http:///x"],
        ...["GET http://a.example/#x"],
      ]
    ) assert.equal(await status(gateway.httpPort!, request), "400", request);
    await until("the end", () => gateway.gateway.connections === 0);
  });
  assert.deepEqual(seen, [
    ...["2001:db8::1 443", "a.example 65535", "192.0.2.1 1"],
    ...["::1 80", "a.example 80", "a.example 81"],
  ]);
});
