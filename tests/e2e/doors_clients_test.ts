// Issue 4, Build 3 and 5: who a client is: its certificate, its PROXY header, the proxies before it;
// and which certificate it gets.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { parseCidrs } from "../../src/config/cidr.ts";
import { encodeProxyHeader } from "../../src/protocol/proxy_protocol/encode.ts";
import { type Field, getField, getFields } from "../../src/protocol/wire/field.ts";
import { makeClientCertificate } from "../net/client_certificates.ts";
import { DOOR_IDS, DoorPeers, say } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { latin1 } from "../support/inbox.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import { CLIENT_KEY } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const GET = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** Sends a request and gives the status of its answer; 0 where the connection ends without one. */
async function statusOf(socket: net.Socket, request = GET): Promise<number> {
  let got = "";
  let over = false;
  socket.on("error", () => {});
  socket.on("data", (chunk: Uint8Array) => got += latin1(chunk));
  const closed = new Promise<void>((resolve) =>
    socket.once("close", () => {
      over = true;
      resolve();
    })
  );
  socket.write(request);
  await until("an answer", () => answerAt(got) !== null || over);
  socket.destroy();
  await within("the end of a connection", closed);
  return answerAt(got)?.status ?? 0;
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  Deno.test(`doors: --client-ca by ${version}: required over TCP, and QUIC clients are still served`, async () => {
    const [good, bad] = await Promise.all([
      makeClientCertificate([{ CN: ["alice"] }]),
      makeClientCertificate([{ CN: ["mallory"] }]),
    ]);
    await withNamedDoors({ clientCaPem: good.caPem }, async ({ t, peers, main }) => {
      const ask = (options: tls.ConnectionOptions) =>
        statusOf(tls.connect({
          ...{ host: "127.0.0.1", port: t.proxy.port, servername: "localhost" },
          ...{ ca: [...t.caCerts], ALPNProtocols: ["http/1.1"] },
          ...{ minVersion: version, maxVersion: version },
          ...options,
        }));
      assert.equal(await ask({ cert: good.certPem, key: good.keyPem }), 200);
      assert.equal(await ask({}), 0, "without one");
      assert.equal(await ask({ cert: bad.certPem, key: bad.keyPem }), 0, "of another CA");
      await until("two records", () => t.seen.handshakeFailures.length === 2);
      assert.deepEqual(t.seen.handshakeFailures.map(({ kind }) => kind), ["tls", "tls"]);
      assert.equal(main.requests.length, 1);
      // QUIC has none, and what is in clear text either.
      for (const door of ["h3", "h1"] as const) {
        assert.equal((await peers.ask(door)).status, 200, door);
      }
    });
  });
}

/** The names in the certificate that a client gets who asks for `servername`. */
async function namesFor(
  port: number,
  { servername, ca }: { servername?: string; ca: string[] },
): Promise<string> {
  const socket = tls.connect({
    ...{ host: "127.0.0.1", port, ca, ALPNProtocols: ["h2", "http/1.1"] },
    ...(servername === undefined ? {} : { servername }),
    checkServerIdentity: () => undefined,
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await within(
    "a handshake",
    new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    }),
  );
  const names = socket.getPeerCertificate().subjectaltname ?? "";
  socket.destroy();
  await closed;
  return names;
}

Deno.test("doors: SNI chooses among two certificates over TCP; QUIC has the first", async () => {
  const other = await makeCertificates({ hosts: ["other.example", "*.wild.example"], days: 1 });
  await withNamedDoors({ certificates: [other] }, async ({ t, peers }) => {
    const { port } = t.proxy;
    const ca = [...t.caCerts, other.caPem];
    const rows: [servername: string | undefined, want: RegExp][] = [
      ["localhost", /DNS:localhost/],
      ["other.example", /DNS:other\.example/],
      ["OTHER.example", /DNS:other\.example/],
      ["a.wild.example", /DNS:other\.example/],
      ["unknown.example", /DNS:localhost/],
      [undefined, /DNS:localhost/],
    ];
    for (const [servername, want] of rows) {
      assert.match(await namesFor(port, { servername, ca }), want, String(servername));
    }
    assert.equal((await peers.ask("h3")).status, 200);
  });
});

Deno.test("doors: new certificates reach TCP and QUIC, what is open stays, a bad pair changes nothing", async () => {
  const [next, other, unfit] = await Promise.all([
    makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 }),
    makeCertificates({ hosts: ["other.example"], days: 1 }),
    makeCertificates({ hosts: ["localhost"], days: 1 }),
  ]);
  await withNamedDoors({}, async ({ t, peers }) => {
    const { port, plainPort } = t.proxy;
    const tunnels = [];
    for (const door of ["h1s", "h2", "h3"] as const) {
      tunnels.push(await peers.open(door, { path: "/ws" }));
    }
    for (const pair of [{ ...next, keyPem: unfit.keyPem }, { certPem: "no", keyPem: "pem" }]) {
      assert.throws(() => t.proxy.reload(pair.certPem, pair.keyPem), { name: "NetError" });
    }
    assert.match(
      await namesFor(port, { servername: "localhost", ca: [...t.caCerts] }),
      /localhost/,
    );
    t.proxy.reload(next.certPem, next.keyPem, [other]);
    await using fresh = new DoorPeers({ port, plainPort, caPem: next.caPem });
    for (const door of ["h1s", "h2", "h3"] as const) {
      assert.equal((await fresh.ask(door)).status, 200, door);
    }
    const ca = [next.caPem, other.caPem];
    assert.match(await namesFor(port, { servername: "other.example", ca }), /other\.example/);
    await assert.rejects(namesFor(port, { servername: "localhost", ca: [...t.caCerts] }));
    for (const tunnel of tunnels) {
      assert.equal(await say(tunnel, "still here"), "main still here");
      tunnel.fin();
    }
    await fresh.close();
  });
});

const SOURCES = [
  { address: "192.0.2.7", port: 56_324, client: "192.0.2.7:56324" },
  { address: "2001:db8::7", port: 1, client: "[2001:db8::7]:1" },
];

for (const version of [1, 2] as const) {
  for (const { client, ...source } of SOURCES) {
    Deno.test(`doors: --proxy-protocol: PROXY v${version} of ${source.address} is the client in records and X-Forwarded-For`, async () => {
      await withNamedDoors({ proxyProtocol: true }, async ({ t, main }) => {
        const destination = { address: "198.51.100.1", port: 443 };
        const header = encodeProxyHeader({ version, proxied: { source, destination } });
        const connect = async (door: "h1" | "h1s"): Promise<net.Socket> => {
          const port = door === "h1" ? t.proxy.plainPort! : t.proxy.port;
          const raw = net.connect({ host: "127.0.0.1", port });
          await within("a connection", new Promise((resolve) => raw.once("connect", resolve)));
          raw.write(header);
          if (door === "h1") return raw;
          return tls.connect({ socket: raw, servername: "localhost", ca: [...t.caCerts] });
        };
        for (const door of ["h1", "h1s"] as const) {
          const tunnels = t.seen.opened.length;
          assert.equal(await statusOf(await connect(door)), 200, door);
          const upgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n" +
            `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${CLIENT_KEY}\r\n\r\n`;
          assert.equal(await statusOf(await connect(door), upgrade), 101, door);
          await until("the session", () => t.seen.opened.length === tunnels + 1);
        }
        assert.deepEqual(t.seen.requests.map(({ client }) => client), [client, client]);
        assert.deepEqual(t.seen.opened.map(({ client }) => client), [client, client]);
        for (const { fields } of main.requests) {
          assert.deepEqual(getFields(fields, "x-forwarded-for"), [source.address]);
        }
        assert.equal(main.requests.length, 4);
        // Without the header nothing is served.
        const bare = net.connect({ host: "127.0.0.1", port: t.proxy.plainPort! });
        assert.equal(await statusOf(bare), 0);
        assert.equal(t.seen.handshakeFailures.at(-1)?.kind, "proxy_protocol");
      });
    });
  }
}

const CLAIMS: Field[] = [
  ["x-forwarded-for", "203.0.113.9, 203.0.113.10"],
  ["x-forwarded-proto", "gopher"],
  ["x-forwarded-host", "claimed.example"],
  ["x-real-ip", "203.0.113.9"],
  ["forwarded", "for=203.0.113.9"],
];

interface TrustRow {
  trusted: string;
  /** X-Forwarded-For, -Proto, -Host, X-Real-IP, and Forwarded. */
  want: (proto: string) => (string | null)[];
}

const TRUST: TrustRow[] = [
  {
    trusted: "",
    want: (proto) => [
      ...["127.0.0.1", proto, "localhost", null, `for=127.0.0.1;host=localhost;proto=${proto}`],
    ],
  },
  {
    trusted: "10.0.0.0/8",
    want: (proto) => [
      ...["127.0.0.1", proto, "localhost", null, `for=127.0.0.1;host=localhost;proto=${proto}`],
    ],
  },
  {
    trusted: "127.0.0.0/8",
    want: (proto) => [
      "203.0.113.9, 203.0.113.10, 127.0.0.1",
      "gopher",
      "claimed.example",
      "203.0.113.9",
      `for=203.0.113.9, for=127.0.0.1;host=localhost;proto=${proto}`,
    ],
  },
];

for (const { trusted, want } of TRUST) {
  Deno.test(`doors: --trusted-proxies ${trusted || "of nobody"}: ${trusted.startsWith("127") ? "appends" : "overwrites"}, by every door`, async () => {
    await withNamedDoors({ trustedProxies: parseCidrs(trusted) }, async ({ peers, main }) => {
      for (const door of DOOR_IDS) {
        await peers.ask(door, { fields: CLAIMS });
        const tunnel = await peers.open(door, { path: "/ws", fields: CLAIMS });
        tunnel.fin();
        const [plain, upgrade] = main.requests.splice(0);
        const said = (fields: readonly Field[]) => CLAIMS.map(([name]) => getField(fields, name));
        const all = want(door === "h1" || door === "h2c" ? "http" : "https");
        assert.deepEqual(said(plain.fields), all, door);
        // For tunnels Forwarded is left to the X-Forwarded-* fields.
        assert.deepEqual(said(upgrade.fields), [...all.slice(0, -1), null], door);
      }
    });
  });
}
