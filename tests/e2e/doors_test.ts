// Issue 4, Build 3: which door a client comes to, by port, by ALPN and by its first bytes.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { getField } from "../../src/protocol/wire/field.ts";
import { CLIENT_PREFACE } from "../../src/protocol/http2/frame.ts";
import { DOOR_IDS, type DoorId, isOpen, say, TLS_DOOR_IDS } from "../support/door_peers.ts";
import { answerAt } from "../support/doors.ts";
import { latin1 } from "../support/inbox.ts";
import { withNamedDoors } from "../support/named_doors.ts";
import type { NamedRequest } from "../support/named_backend.ts";
import { h2Get, h2Settings, RawH2 } from "../support/raw_h2.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const HTTP: Record<DoorId, string> = { h1: "1.1", h1s: "1.1", h2c: "2", h2: "2", h3: "3" };

Deno.test("doors: HTTP/3, HTTP/2 and HTTP/1.1 on one port number, requests and WebSockets", async () => {
  await withNamedDoors({}, async ({ t, peers, main }) => {
    for (const door of TLS_DOOR_IDS) {
      const answer = await peers.ask(door, { path: "/x?y=z", method: "POST", body: "hello" });
      const seen: NamedRequest = JSON.parse(answer.body);
      assert.deepEqual([answer.status, seen.method, seen.url, seen.body], [
        ...[200, "POST", "/x?y=z", "hello"],
      ]);
      assert.equal(getField(seen.fields, "via"), `${HTTP[door]} h3ws`);
      assert.equal(getField(seen.fields, "x-forwarded-proto"), "https");
      const tunnel = await peers.open(door);
      assert.ok(isOpen(tunnel), door);
      assert.equal(await say(tunnel, "hi"), "main hi");
      tunnel.fin();
    }
    assert.equal(main.requests.length, 6);
    await until("the ends of all sessions", () => t.seen.closed.length === 3);
    assert.deepEqual(t.seen.closed.map(({ http }) => http).sort(), ["1.1", "2", "3"]);
  });
});

interface AlpnRow {
  offered: string[] | undefined;
  /** What is chosen; "refused" for no connection. */
  want: string | false;
}

const ALPN: AlpnRow[] = [
  { offered: ["h2", "http/1.1"], want: "h2" },
  { offered: ["http/1.1", "h2"], want: "h2" },
  { offered: ["http/1.1"], want: "http/1.1" },
  { offered: ["foo", "http/1.1"], want: "http/1.1" },
  { offered: undefined, want: false },
];

for (const { offered, want } of ALPN) {
  Deno.test(`doors: RFC 7301: of ALPN ${offered ?? "nothing"} is chosen ${want || "HTTP/1.1"}`, async () => {
    await withNamedDoors({}, async ({ t }) => {
      const socket = tls.connect({
        ...{ host: "127.0.0.1", port: t.proxy.port, servername: "localhost" },
        ...{ ca: [...t.caCerts], ALPNProtocols: offered },
      });
      await within("a handshake", new Promise((resolve) => socket.once("secureConnect", resolve)));
      assert.equal(socket.alpnProtocol, want);
      assert.equal(socket.getProtocol(), "TLSv1.3");
      let got = "";
      socket.on("data", (chunk: Uint8Array) => got += latin1(chunk));
      const closed = new Promise((resolve) => socket.once("close", resolve));
      if (want === "h2") {
        socket.write(CLIENT_PREFACE);
        socket.write(h2Settings([]));
        // RFC 9113 §3.4: the server's preface is a SETTINGS frame.
        await until("SETTINGS", () => got.length >= 9);
        assert.equal(got.charCodeAt(3), 4);
      } else {
        socket.write("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await until("an answer", () => answerAt(got) !== null);
        assert.equal(answerAt(got)?.status, 200);
      }
      socket.destroy();
      await closed;
    });
  });
}

Deno.test("doors: TLS 1.2 is taken, and RFC 7301 §3.2: who offers other protocols alone is refused", async () => {
  await withNamedDoors({}, async ({ t }) => {
    const connect = async (options: tls.ConnectionOptions) => {
      const socket = tls.connect({
        ...{ host: "127.0.0.1", port: t.proxy.port, servername: "localhost" },
        ...{ ca: [...t.caCerts], ...options },
      });
      const closed = new Promise((resolve) => socket.once("close", resolve));
      const outcome = await within(
        "a handshake",
        new Promise((resolve) => {
          socket.once("secureConnect", () => resolve(socket.getProtocol()));
          socket.once("error", () => resolve("refused"));
          socket.once("close", () => resolve("refused"));
        }),
      );
      socket.destroy();
      await closed;
      return outcome;
    };
    assert.equal(await connect({ maxVersion: "TLSv1.2" }), "TLSv1.2");
    assert.equal(await connect({ ALPNProtocols: ["foo"] }), "refused");
    await until("the record", () => t.seen.handshakeFailures.length === 1);
    assert.equal(t.seen.handshakeFailures[0].kind, "tls");
  });
});

Deno.test("doors: --tcp off: no TCP at the port of HTTP/3, and no Alt-Svc of it", async () => {
  await withNamedDoors({ tcp: false }, async ({ t, peers }) => {
    const socket = net.connect(t.proxy.port, "127.0.0.1");
    const outcome = await new Promise<string>((resolve) => {
      socket.once("connect", () => resolve("connected"));
      socket.once("error", (error: Error & { code?: string }) => resolve(error.code ?? ""));
    });
    socket.destroy();
    assert.equal(outcome, "ECONNREFUSED");
    for (const door of ["h1", "h2c", "h3"] as const) {
      const answer = await peers.ask(door);
      assert.deepEqual([answer.status, answer.get("alt-svc")], [200, null], door);
    }
  });
});

/** Bytes in packets of their own. */
async function dribble(socket: net.Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    await new Promise<void>((resolve) => socket.write(Uint8Array.of(byte), () => resolve()));
  }
}

const FIRST_LINES = [
  "GET /x HTTP/1.1",
  // These begin as the preface of HTTP/2 does.
  "P /x HTTP/1.1",
  "PRI /x HTTP/1.1",
  "PUT /x HTTP/1.1",
];

for (const line of FIRST_LINES) {
  for (const how of ["whole", "byte by byte"]) {
    Deno.test(`doors: --plain-listen: ${line.split(" ")[0]} ${how} is HTTP/1.1`, async () => {
      await withNamedDoors({}, async ({ t, peers }) => {
        const client = await peers.h1("h1");
        const text = `${line}\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;
        if (how === "whole") client.send(text);
        else await dribble(client.socket, new TextEncoder().encode(text));
        await until("an answer", () => answerAt(client.got) !== null || client.isOver);
        const { status, text: body } = answerAt(client.got)!;
        // node:http knows no such methods.
        if (/^(?:GET|PUT)/.test(line)) assert.equal(JSON.parse(body).url, "/x");
        else assert.equal(status, 400);
        assert.deepEqual(t.seen.rejections, []);
      });
    });
  }
}

Deno.test("doors: --plain-listen: the preface byte by byte is HTTP/2, and what follows too", async () => {
  await withNamedDoors({}, async ({ t }) => {
    const socket = net.connect({ host: "127.0.0.1", port: t.proxy.plainPort!, noDelay: true });
    let got = "";
    socket.on("data", (chunk: Uint8Array) => got += latin1(chunk));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await dribble(socket, CLIENT_PREFACE);
    await dribble(socket, h2Settings([]));
    await until("SETTINGS", () => got.length >= 9);
    assert.equal(got.charCodeAt(3), 4);
    socket.destroy();
    await closed;
    const whole = await RawH2.connect({ port: t.proxy.plainPort! });
    assert.equal((await whole.over(whole.request(h2Get("/x")))).status, 200);
    await whole.close();
  });
});

for (const first of ["", "PRI * HT", "GE"]) {
  Deno.test(`doors: --plain-listen: a client that says ${JSON.stringify(first)} and no more is closed in time`, async () => {
    await withNamedDoors({ handshakeTimeoutMs: 200 }, async ({ peers, t }) => {
      const client = await peers.h1("h1");
      client.send(first);
      const got = await client.ended();
      assert.match(got, first === "GE" ? /^HTTP\/1\.1 408 / : /^$/);
      await until("the end of its connection", () => t.proxy.connections === 0);
    });
  });
}

Deno.test("doors: --plain-listen: FIN before a word, and in the midst of the preface", async () => {
  await withNamedDoors({}, async ({ peers, t }) => {
    for (const first of ["", "PRI * HT"]) {
      const client = await peers.h1("h1");
      client.send(first);
      client.fin();
      await client.ended();
    }
    await until("the end of the connections", () => t.proxy.connections === 0);
  });
});

for (const door of ["h1", "h1s"] as const) {
  Deno.test(`doors: RFC 9113 §3.1: Upgrade: h2c over ${door} is an ordinary request, and goes no further`, async () => {
    await withNamedDoors({}, async ({ peers, main }) => {
      for (const upgrade of ["h2c", "H2C"]) {
        const client = await peers.h1(door);
        client.send(
          "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
            `Upgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`,
        );
        await until("an answer", () => answerAt(client.got) !== null || client.isOver);
        assert.equal(answerAt(client.got)?.status, 200, client.got);
        const { fields } = main.requests.at(-1)!;
        for (const name of ["upgrade", "http2-settings"]) {
          assert.equal(getField(fields, name), null, name);
        }
      }
    });
  });
}

Deno.test("doors: /healthz, /health/tcp and /health/udp by every door, without the backend", async () => {
  await withNamedDoors({}, async ({ peers, main }) => {
    for (const door of DOOR_IDS) {
      for (const path of ["/healthz", "/health/tcp", "/health/udp", "/health/tcp?x=1"]) {
        const answer = await peers.ask(door, { path });
        assert.deepEqual([answer.status, answer.body], [200, "ok\n"], `${door} ${path}`);
        const head = await peers.ask(door, { path, method: "HEAD" });
        assert.deepEqual([head.status, head.body], [200, ""], `${door} HEAD ${path}`);
      }
      assert.equal((await peers.ask(door, { path: "/health/sctp" })).status, 200);
    }
    assert.equal(main.requests.length, DOOR_IDS.length);
  });
});

const HEALTH = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

Deno.test("doors: --max-connections counts those of all doors together", async () => {
  await withNamedDoors({ maxConnections: 2 }, async ({ t, peers }) => {
    const { proxy, seen } = t;
    const first = await t.h2();
    const second = await t.h1();
    second.send(HEALTH);
    await second.has("200 OK");
    await until("two connections", () => proxy.connections === 2);
    await assert.rejects(t.connect(), { name: "NetError" }, "by QUIC");
    // In clear text it counts from its first bytes on.
    const third = await peers.h1("h1");
    third.send(HEALTH);
    await third.ended();
    const fourth = await peers.h1("h1s");
    await fourth.ended();
    await until("the records", () => seen.rejections.length === 3);
    assert.deepEqual(
      new Set(seen.rejections.map(({ reason }) => reason)),
      new Set(["max_connections"]),
    );
    await second.close();
    await until("room", () => proxy.connections === 1);
    await t.connect();
    await until("two connections", () => proxy.connections === 2);
    const fifth = await peers.h1("h1");
    fifth.send(HEALTH);
    await fifth.ended();
    await first.close();
    await until("room", () => proxy.connections === 1);
    assert.equal((await peers.ask("h1")).status, 200);
  });
});
