// Issue 4, "Bad input": clients that connect and never come to a request. Each has a socket for no
// longer than --handshake-timeout, and none keeps others from being served.
import assert from "node:assert/strict";
import { startEcho } from "../../src/cli/echo_server.ts";
import { DOOR_IDS, type DoorId, DoorPeers, type DoorTunnel, say } from "../support/door_peers.ts";
import { fromLatin1 } from "../support/inbox.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const WANTED = 10_000;
/** For all else that a process has open. */
const OTHER_DESCRIPTORS = 500;
/** `ulimit -n`: Deno takes as many as the hard limit lets it. A connection is one here, and one there. */
const ALLOWED = Number(
  /^Max open files +(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))?.[1] ?? Infinity,
);
const COUNT = Math.min(WANTED, ALLOWED - OTHER_DESCRIPTORS);
const AT_ONCE = 100;
const ROUNDS = 4;
/** RFC 9112 §9.6: behind a 408 the connection lingers; and the machine may be slow. */
const SLACK_MS = 20_000;

const HALF_HELLO = Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3);
const NOTHING = new Uint8Array(0);

interface HalfOpenDoor {
  name: string;
  isTls: boolean;
  /** Where all of them are there at once, the last comes before the first is gone. */
  timeoutMs: number;
  /** What the clients say, in turn, before they say no more. */
  beginnings: Uint8Array[];
}

const DOORS: HalfOpenDoor[] = [
  {
    name: "the TLS door",
    isTls: true,
    timeoutMs: 20_000,
    beginnings: [NOTHING, HALF_HELLO.subarray(0, 1), HALF_HELLO.subarray(0, 5), HALF_HELLO],
  },
  {
    name: "the door in clear text",
    isTls: false,
    timeoutMs: 40_000,
    beginnings: [
      NOTHING,
      ...[
        "PRI * HT",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "G",
        "GET / HTTP/1.1\r\nHost: a.exam",
        "POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n",
      ].map(fromLatin1),
    ],
  },
];

/** Connects, says `beginning` and no more; resolves to a promise of the end that the proxy makes. */
async function halfOpen(port: number, beginning: Uint8Array): Promise<{ over: Promise<void> }> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const see = async () => {
    try {
      if (beginning.length > 0) await conn.write(beginning);
      // A 408 may come before the end.
      for (const buffer = new Uint8Array(512); await conn.read(buffer) !== null;);
    } catch {
      // RST.
    }
    conn.close();
  };
  return { over: see() };
}

interface Tested {
  proxy: ProxyProcess;
  ports: ConstructorParameters<typeof DoorPeers>[0] & { plainPort: number };
  /** Those of the proxy. */
  descriptors(): number;
}

/** A new client of that door is served; how often it had to come. */
async function comesIn({ ports }: Tested, door: DoorId): Promise<number> {
  for (let tries = 1;; tries++) {
    await using peers = new DoorPeers(ports);
    const answer = await peers.ask(door, { path: "/healthz" }).catch(() => null);
    if (answer?.status === 200) return tries;
    assert.ok(tries < 100, `a client by ${door} is never served`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function othersAreServed(t: Tested, isTls: boolean, tunnels: DoorTunnel[]): Promise<void> {
  for (const [i, tunnel] of tunnels.entries()) {
    assert.equal(await say(tunnel, `still ${i}`), `still ${i}`);
  }
  for (const door of DOOR_IDS) {
    const tries = await comesIn(t, door);
    // net/handshakes.ts: of TLS only so many go on at once, and for a second none gives way.
    const mayWait = isTls && (door === "h1s" || door === "h2");
    assert.ok(mayWait || tries === 1, `${tries} tries by ${door}`);
  }
}

async function withTested(
  timeoutMs: number,
  body: (t: Tested) => Promise<void>,
): Promise<void> {
  const echo = await startEcho({ hostname: "127.0.0.1", port: 0 });
  try {
    await using proxy = await startProxyProcess({
      backendPort: echo.port,
      flags: [
        ...["--plain-listen", "127.0.0.1:0", "--max-connections", `${2 * WANTED}`],
        ...["--handshake-timeout", `${timeoutMs}ms`, "--idle-timeout", "10m", "--path", "^/"],
      ],
    });
    const { plainListen } = proxy.log.find(({ event }) => event === "proxy.listening")!;
    const plainPort = Number(String(plainListen).split(":").at(-1));
    await body({
      proxy,
      ports: { port: proxy.port, plainPort, caPem: proxy.caCerts[0] },
      descriptors: () => [...Deno.readDirSync(`/proc/${proxy.pid}/fd`)].length,
    });
    assert.deepEqual(proxy.log.filter(({ event }) => event === "bug"), []);
    proxy.kill("SIGTERM");
    assert.equal((await proxy.status).code, 0);
  } finally {
    await echo.close();
  }
}

for (const { name, isTls, timeoutMs, beginnings } of DOORS) {
  Deno.test(`soak: ${COUNT} half-open connections at ${name} hurt nobody, and are all gone in time`, async () => {
    await withTested(timeoutMs, async (t) => {
      const peers = new DoorPeers(t.ports);
      const tunnels: DoorTunnel[] = [];
      for (const door of DOOR_IDS) tunnels.push(await peers.open(door));
      await othersAreServed(t, isTls, tunnels);
      const before = t.descriptors();

      const port = isTls ? t.ports.port : t.ports.plainPort;
      const ends: Promise<void>[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        while (ends.length < COUNT * (round + 1) / ROUNDS) {
          const batch = Array.from(
            { length: AT_ONCE },
            (_, i) => halfOpen(port, beginnings[i % beginnings.length]),
          );
          ends.push(...(await Promise.all(batch)).map(({ over }) => over));
        }
        await othersAreServed(t, isTls, tunnels);
      }
      // All of them at once where there is no limit of their own.
      if (!isTls) await until("all of them", () => t.descriptors() >= before + COUNT);

      await within("all of their ends", Promise.all(ends), timeoutMs + SLACK_MS);
      await until("no descriptor of them", () => t.descriptors() <= before);
      await othersAreServed(t, isTls, tunnels);
      await peers.close();
      await until("no session", async () => {
        return await t.proxy.metric("h3ws_proxy_active_sessions") === 0;
      });
    });
  });
}
