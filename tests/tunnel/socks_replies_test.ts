// What a SOCKS5 client may ask for, and what it is told of each cause (RFC 1928 §4 to §6).
import assert from "node:assert/strict";
import { NetError, toNetError } from "../../src/net/error.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { refusedFor } from "../../src/tunnel/agent_dial.ts";
import { TunnelRefused, type TunnelTarget } from "../../src/tunnel/target.ts";
import { until } from "../support/until.ts";
import { Raw } from "./raw.ts";
import { withTunnel } from "./support.ts";

const TRANSPORTS = { quic: ["quic"], ws: ["ws"], json: ["json"] } as const;

const ofCode = (code: string) => refusedFor(toNetError(Object.assign(new Error("no"), { code })));
const ofKind = (...args: ConstructorParameters<typeof NetError>) =>
  refusedFor(new NetError(...args));

/** By name, with the reply that it has. */
const CAUSES: Readonly<Record<string, readonly [error: () => Error, reply: number]>> = {
  "general failure": [() => ofKind("other", "no"), 1],
  "a bug": [() => new Error("boom"), 1],
  "full": [() => new TunnelRefused(TunnelCode.RATE_LIMITED, "full"), 1],
  "not allowed by ruleset": [() => new TunnelRefused(TunnelCode.FORBIDDEN_HOST, "no"), 2],
  "network unreachable": [() => ofCode("ENETUNREACH"), 3],
  "host unreachable": [() => ofCode("EHOSTUNREACH"), 4],
  "no such name": [() => ofKind("unresolved", "no host"), 4],
  "no answer": [() => ofKind("timeout", "not connected"), 4],
  "connection refused": [() => ofCode("ECONNREFUSED"), 5],
};

/** The reply to a request, behind "no authentication". */
async function replyTo(port: number, request: readonly number[]): Promise<number> {
  using client = await Raw.connect(port);
  await client.send(Uint8Array.of(5, 1, 0, ...request));
  const [, method, version, reply, reserved, type] = await client.bytes(12);
  assert.deepEqual([method, version, reserved, type], [0, 5, 0, 1]);
  if (reply !== 0) assert.equal(await client.end(), "fin");
  return reply;
}

const name = (host: string | Uint8Array) => {
  const bytes = typeof host === "string" ? new TextEncoder().encode(host) : host;
  return [3, bytes.length, ...bytes];
};

for (const [transport, transports] of Object.entries(TRANSPORTS)) {
  Deno.test(`socks replies by ${transport}: RFC 1928 §6: each cause has its own`, async () => {
    const bugs: string[] = [];
    const connect = ({ host }: TunnelTarget) =>
      Promise.reject(CAUSES[host.replaceAll("-", " ")][0]());
    await withTunnel({ transports, agent: { connect } }, async ({ gateway, told }) => {
      for (const [cause, [, reply]] of Object.entries(CAUSES)) {
        const request = [5, 1, 0, ...name(cause.replaceAll(" ", "-")), 0, 80];
        assert.equal(await replyTo(gateway.socksPort!, request), reply, cause);
      }
      await until("the end", () => gateway.gateway.connections === 0);
      bugs.push(...told.bugs.splice(0).map(String));
    });
    assert.deepEqual(bugs, ["Error: boom"]);
  });

  Deno.test(`socks replies by ${transport}: hosts reach the agent as they are asked for, none is looked up before`, async () => {
    const seen: TunnelTarget[] = [];
    const connect = (target: TunnelTarget) => {
      seen.push(target);
      return Promise.reject(new TunnelRefused(TunnelCode.FORBIDDEN_HOST, "no"));
    };
    const label = "a".repeat(63);
    const longest = `${label}.${label}.${label}.${label.slice(0, 59)}.org`;
    assert.equal(longest.length, 255);
    const v6 = [0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), 1];
    const rows = [
      { at: [1, 192, 0, 2, 1], host: "192.0.2.1" },
      { at: [4, ...v6], host: "2001:db8::1" },
      { at: [4, ...new Array(10).fill(0), 255, 255, 192, 0, 2, 1], host: "::ffff:192.0.2.1" },
      { at: name("Nowhere.Invalid"), host: "nowhere.invalid" },
      { at: name("bücher.example"), host: "bücher.example" },
      { at: name("2001:db8::1"), host: "2001:db8::1" },
      { at: name("[2001:db8::1]"), host: "2001:db8::1" },
      { at: name(longest), host: longest },
    ];
    await withTunnel({ transports, agent: { connect } }, async ({ gateway }) => {
      for (const { at } of rows) {
        assert.equal(await replyTo(gateway.socksPort!, [5, 1, 0, ...at, 0xff, 0xff]), 2);
      }
    });
    const want = rows.map(({ host }) => ({ protocol: "tcp", host, port: 65_535 }));
    assert.deepEqual(seen.map(({ protocol, host, port }) => ({ protocol, host, port })), want);
  });
}

for (
  const [what, request, reply] of [
    ["an empty name", [5, 1, 0, 3, 0, 0, 80], 1],
    ["a name with NUL", [5, 1, 0, ...name("a\0b"), 0, 80], 1],
    ["a name with white space", [5, 1, 0, ...name("a b"), 0, 80], 1],
    ["a name that is a URL", [5, 1, 0, ...name("http://a"), 0, 80], 1],
    ["a name that is no UTF-8", [5, 1, 0, ...name(Uint8Array.of(0xff, 0xfe)), 0, 80], 1],
    ["port 0", [5, 1, 0, 1, 127, 0, 0, 1, 0, 0], 5],
    ["SOCKS4 behind the greeting", [4, 1, 0, 1, 127, 0, 0, 1, 0, 80], 1],
    ["BIND to IPv6", [5, 2, 0, 4, ...new Array(15).fill(0), 1, 0, 80], 7],
    ["BIND to a name", [5, 2, 0, ...name("a.example"), 0, 80], 7],
  ] as const
) {
  Deno.test(`socks replies: ${what} is ${reply}, and nobody is asked`, async () => {
    await withTunnel({ transports: ["ws"] }, async ({ gateway, told }) => {
      assert.equal(await replyTo(gateway.socksPort!, request), reply);
      assert.deepEqual(told.lines.filter((line) => /^(open|refused)/.test(line)), []);
    });
  });
}

Deno.test("socks replies: without an agent it is a general failure, at once", async () => {
  await withTunnel({ transports: ["ws"] }, async ({ gateway, agent }) => {
    await agent.stop();
    await until("no agent", () => gateway.gateway.agents.list().length === 0);
    assert.equal(await replyTo(gateway.socksPort!, [5, 1, 0, 1, 127, 0, 0, 1, 0, 80]), 1);
  });
});
