// What flows of datagrams take of an agent: anybody may send one datagram, from any port.
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { socksConnect } from "./socks_client.ts";
import { LOOPBACK, type TestTunnel, type TunnelOptions, withTunnel } from "./support.ts";
import { echo, withTarget } from "./target.ts";
import { udpEcho } from "./udp.ts";

const STREAMS = 40;
const STRANGERS = 60;
const SOON = /^closed us: idle for 200 ms \d+\/0$/;

const socket = () => Deno.listenDatagram({ transport: "udp", ...LOOPBACK });

async function send(from: Deno.DatagramConn, port: number, what = 1): Promise<void> {
  await from.send(Uint8Array.of(what), { ...LOOPBACK, transport: "udp", port });
}

async function ask(from: Deno.DatagramConn, port: number): Promise<void> {
  await send(from, port);
  await within("an answer", from.receive());
}

/** A tunnel with ports of UDP that lead to the target. */
async function withPorts(
  { target, ports = 1, ...gateway }: { target: number; ports?: number } & TunnelOptions["gateway"],
  run: (tunnel: TestTunnel) => Promise<void>,
): Promise<void> {
  const at = { protocol: "udp", host: "127.0.0.1", port: target } as const;
  const forward = { listen: LOOPBACK, group: "default", target: at };
  const forwards = Array.from({ length: ports }, () => forward);
  await withTunnel({ gateway: { forwards, maxStreamsPerAgent: STREAMS, ...gateway } }, run);
}

/** Each sends one datagram to each of the ports; resolves when it came to the target. */
async function strangers(
  { gateway, told }: TestTunnel,
  isThere: () => boolean,
): Promise<{ close(): void }> {
  const sockets: Deno.DatagramConn[] = [];
  for (const port of gateway.forwardPorts) {
    for (let i = 0; i < STRANGERS; i++) {
      const one = socket();
      sockets.push(one);
      const seen = told.lines.length;
      await send(one, port);
      // The next one comes when something became of this one.
      await until("it is taken or refused", () => told.lines.length > seen);
    }
  }
  await until("the last is there", isThere);
  return { close: () => sockets.forEach((one) => one.close()) };
}

for (const ports of [1, 4]) {
  Deno.test(`udp places: strangers at ${ports} ports leave connections by TCP their places`, async () => {
    const silent = socket();
    const target = (silent.addr as Deno.NetAddr).port;
    await withPorts({ target, ports }, async (tunnel) => {
      const crowd = await strangers(tunnel, () => tunnel.agent.streams > 0);
      await until("a quarter is theirs", () => tunnel.agent.streams === STREAMS / 4);
      await withTarget(echo, async (port) => {
        const client = await socksConnect(tunnel.gateway.socksPort!, "127.0.0.1", port);
        client.reset();
      });
      crowd.close();
    });
    silent.close();
  });
}

Deno.test("udp places: who talks with the target goes on while strangers come", async () => {
  const target = udpEcho();
  const friend = socket();
  await withPorts({ target: target.port }, async (tunnel) => {
    const [port] = tunnel.gateway.forwardPorts;
    await ask(friend, port);
    await ask(friend, port);
    const [way] = target.from;
    const crowd = await strangers(tunnel, () => target.from.size > STRANGERS / 2);
    const ways = target.from.size;
    await ask(friend, port);
    // By the way that it had.
    assert.equal(target.from.size, ways);
    assert.ok(target.from.has(way));
    // And whoever comes now gets through, too.
    const late = socket();
    await ask(late, port);
    late.close();
    crowd.close();
  });
  for (const one of [target, friend]) one.close();
});

Deno.test("udp places: a flow that nobody answers is let go sooner than one that is answered", async () => {
  const target = socket();
  void (async () => {
    for await (const [bytes, from] of target) if (bytes[0] === 1) await target.send(bytes, from);
  })();
  const friend = socket();
  const stranger = socket();
  const times = { udpIdleTimeoutMs: 60_000, udpUnansweredTimeoutMs: 200 };
  const at = (target.addr as Deno.NetAddr).port;
  await withPorts({ target: at, ...times }, async ({ gateway, told }) => {
    const [port] = gateway.forwardPorts;
    await ask(friend, port);
    await send(stranger, port, 9);
    await until("it is let go", () => told.lines.some((line) => SOON.test(line)));
    // The older one is still there.
    assert.equal(gateway.gateway.connections, 1);
  });
  for (const one of [target, friend, stranger]) one.close();
});
