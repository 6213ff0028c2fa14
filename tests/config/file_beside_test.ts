// A gateway in the process of a proxy: what its section must say, and what it may not.
import assert from "node:assert/strict";
import { ConfigFileError, faultLine, parseConfig, withFile } from "../../src/config/file.ts";
import { gatewayBeside } from "../../src/config/file_beside.ts";
import { EVERY_INTERFACE, formatAddress } from "../../src/net/address.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { linesFor } from "./file_lines.ts";

function besideOf(text: string) {
  const file = parseConfig(text, { file: "f.yaml" });
  return gatewayBeside(file, readProxyConfig({}, withFile(file, {})));
}

const USER = "auth_username: ann, auth_password: secret";

Deno.test("gateway beside a proxy: its section alone says what it does", () => {
  assert.equal(besideOf("backend: ws://a\n"), null);
  const config = besideOf(`gateway: { ${USER}, drain: 3s }\n`)!;
  assert.deepEqual(config.user, { name: "ann", password: "secret" });
  assert.deepEqual([config.listen.port, config.drainMs, config.configFile], [
    8443,
    3000,
    "f.yaml",
  ]);
  // No door that nobody asked for.
  assert.equal(config.socks, null);
  const front = "proxy: { socks5: { listen_addr: 127.0.0.1:1080 } }\n";
  assert.equal(besideOf(`gateway: { ${USER} }\n${front}`)?.socks?.port, 1080);
});

const any = (port: number) => formatAddress({ hostname: EVERY_INTERFACE, port });
const NO_USER =
  "gateway: has no user: no agent comes in without one; allowed: auth_username with " +
  "auth_password, users_file, or auth_url";

const FAULTS: [text: string, ...want: string[]][] = [
  ["gateway: {}\n", `1:10: ${NO_USER}`],
  ["proxy: { socks5: { listen_addr: ':1080' } }\n", `1:1: ${NO_USER}`],
  [
    `listen: 127.0.0.1:8443\ngateway: { ${USER} }\n`,
    `2:10: gateway.listen_addr: is ${any(8443)}, where the proxy listens; allowed: another port`,
  ],
  [
    `listen: ":443"\nplain-listen: 127.0.0.1:80\nproxy: { socks5: { listen_addr: ":443" } }\n` +
    `gateway: { ${USER}, listen_addr: "127.0.0.1:80" }\n`,
    `3:33: proxy.socks5.listen_addr: is ${
      any(443)
    }, where the proxy listens; allowed: another port`,
    "4:68: gateway.listen_addr: is 127.0.0.1:80, where the proxy listens; allowed: another port",
  ],
  [
    `gateway: { ${USER}, metrics: ":9091" }\n`,
    "1:64: gateway.metrics: has no place beside a proxy; allowed: metrics at the top, which " +
    "serves both",
  ],
  [
    `gateway: { ${USER}, users_file: u, auth_url: "http://a" }\n`,
    "1:27: gateway.auth_username: can't stand beside auth_url; allowed: one of the two",
    "1:67: gateway.users_file: can't stand beside auth_url; allowed: one of the two",
  ],
  [
    `gateway: { ${USER} }\nproxy: { anonymous: true, socks5: { ${USER} } }\n`,
    "2:21: proxy.anonymous: can't stand beside proxy.socks5.auth_username; allowed: one of the two",
  ],
];

Deno.test("gateway beside a proxy: what can't stand there is told with its place", () => {
  for (const [text, ...want] of FAULTS) {
    assert.throws(() => besideOf(text), (error) => {
      assert.ok(error instanceof ConfigFileError, `${error}`);
      const lines = error.faults.map((fault) => faultLine(fault).replace(/^f\.yaml:/, ""));
      assert.deepEqual(lines, want);
      return true;
    });
  }
  for (const text of ["listen: 127.0.0.1:8443", "tcp: off\nlisten: :443"]) {
    const at = text.startsWith("tcp") ? "127.0.0.1:1" : "127.0.0.2:8443";
    const front = text.startsWith("tcp") ? "proxy: { http: { listen_addr: ':443' } }\n" : "";
    besideOf(`${text}\n${front}gateway: { ${USER}, listen_addr: "${at}" }\n`);
  }
});

Deno.test("file faults: backends behind agents without a gateway, each told", () => {
  const fault = "is behind agents, and there is no gateway for them; allowed: a section gateway " +
    "in the file, which h3ws proxy then is, too";
  const text = `backend: agent://a/b:1
routes:
  - { match: { path: /a }, backend: "agent+tls://a/b:1" }
  - { match: { path: /b }, backends: [ws://a, "agent://a/b:1"] }
  - { match: { path: /c }, backends: AGENT://a/b:1 }
`;
  assert.deepEqual(linesFor(text), [
    `1:1: backend: ${fault}`,
    `3:28: routes[0].backend: ${fault}`,
    `4:47: routes[1].backends[1]: ${fault}`,
    `5:28: routes[2].backends: ${fault}`,
  ]);
  assert.deepEqual(linesFor(`${text}gateway: { ${USER} }\n`), []);
});
