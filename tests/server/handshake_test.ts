// RFC 6455 §4.2, RFC 8441 §5, RFC 9220 §3: which requests reach a handler, and what the others get.
import assert from "node:assert/strict";
import { H3Client } from "../../src/client/h3_client.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { FrameType } from "../../src/protocol/http3/frame.ts";
import { UniStreamType } from "../../src/protocol/http3/connection.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { answerAt } from "../support/doors.ts";
import { DOOR_IDS, isOpen } from "../support/door_peers.ts";
import { Rounds } from "../support/rounds.ts";
import { startUdpRelay } from "../support/udp_relay.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, withServer } from "./support.ts";

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const VERSION = "Sec-WebSocket-Version: 13";
const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket"];

interface Row {
  name: string;
  /** Default `GET / HTTP/1.1`. */
  line?: string;
  lines: readonly string[];
  status: number;
  has?: RegExp;
  rejected?: string;
}

const ROWS: readonly Row[] = [
  {
    name: "RFC 6455 §1.3: the example's",
    lines: [...UPGRADE, KEY, VERSION],
    status: 101,
    has: /\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i,
  },
  {
    name: "RFC 6455 §4.2.1: Upgrade and Connection in any case, and among others",
    lines: ["Connection: keep-alive, UPGRADE", "Upgrade: foo/1, WebSocket", KEY, VERSION],
    status: 101,
    has: /\r\nupgrade: websocket\r\n/i,
  },
  {
    name: "RFC 6455 §4.1: the method MUST be GET",
    line: "POST / HTTP/1.1",
    lines: [...UPGRADE, KEY, VERSION, "Content-Length: 0"],
    status: 405,
    has: /\r\nallow: GET\r\n/i,
    rejected: "method",
  },
  {
    name: "RFC 6455 §4.4: another version is told which one would do",
    lines: [...UPGRADE, KEY, "Sec-WebSocket-Version: 8"],
    status: 426,
    has: /\r\nsec-websocket-version: 13\r\n/i,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §4.2.1: no version",
    lines: [...UPGRADE, KEY],
    status: 426,
    has: /\r\nsec-websocket-version: 13\r\n/i,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §11.3.5: two versions",
    lines: [...UPGRADE, KEY, VERSION, VERSION],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §4.2.1: no key",
    lines: [...UPGRADE, VERSION],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §4.2.1: a key of 15 bytes",
    lines: [...UPGRADE, VERSION, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §11.3.1: two keys",
    lines: [...UPGRADE, KEY, KEY, VERSION],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §4.1: a subprotocol that is no token",
    lines: [...UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: a b"],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 6455 §9.1: extensions that can't be read",
    lines: [...UPGRADE, KEY, VERSION, "Sec-WebSocket-Extensions: ;"],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 9110 §7.8: Upgrade without its connection option asks for nothing",
    lines: ["Upgrade: websocket", KEY, VERSION],
    status: 426,
    has: /\r\nupgrade: websocket\r\n/i,
    rejected: "method",
  },
  {
    name: "RFC 9110 §7.8: another protocol alone is left alone",
    lines: ["Connection: Upgrade", "Upgrade: foo"],
    status: 426,
    rejected: "method",
  },
  {
    name: "an ordinary request",
    lines: [],
    status: 426,
    has: /\r\nupgrade: websocket\r\n/i,
    rejected: "method",
  },
  {
    name: "RFC 9110 §9.3.6: a plain CONNECT",
    line: "CONNECT a.example:443 HTTP/1.1",
    lines: [],
    status: 501,
    rejected: "protocol",
  },
  {
    name: "an origin that is not allowed",
    lines: [...UPGRADE, KEY, VERSION, "Origin: https://evil.example"],
    status: 403,
    rejected: "origin",
  },
  {
    name: "an origin that is allowed",
    lines: [...UPGRADE, KEY, VERSION, "Origin: https://A.example"],
    status: 101,
  },
  {
    name: "RFC 9112 §2.2: no request at all",
    line: "hello",
    lines: [],
    status: 400,
    rejected: "bad_headers",
  },
];

for (const row of ROWS) {
  Deno.test(`handshake: HTTP/1.1: ${row.name}: ${row.status}`, async () => {
    const options = { allowedOrigins: ["https://a.EXAMPLE"] };
    await withServer(options, echo, async ({ peers, rejections, errors }) => {
      const client = await peers.h1("h1");
      const host = row.line?.startsWith("CONNECT") ? "a.example:443" : "a.example";
      const head = [row.line ?? "GET / HTTP/1.1", `Host: ${host}`, ...row.lines];
      client.send(`${head.join("\r\n")}\r\n\r\n`);
      await until("an answer", () => answerAt(client.got) !== null || client.isOver);
      assert.match(client.got, new RegExp(`^HTTP/1\\.1 ${row.status} `));
      if (row.has !== undefined) assert.match(client.got, row.has);
      const rejected = row.rejected === undefined ? [] : [[row.rejected, row.status]];
      assert.deepEqual(rejections, rejected);
      assert.deepEqual(errors(), []);
    });
  });
}

interface StreamRow {
  name: string;
  protocol?: string | null;
  fields?: readonly Field[];
  status: number;
  rejected?: string;
}

const STREAM_ROWS: readonly StreamRow[] = [
  { name: "nothing but the method and :protocol", status: 200 },
  { name: "RFC 8441 §5: in any case", protocol: "WebSocket", status: 200 },
  {
    name: "RFC 9220 §3: a :protocol that is not known",
    protocol: "webtransport",
    status: 501,
    rejected: "protocol",
  },
  { name: "RFC 9110 §9.3.6: a plain CONNECT", protocol: null, status: 501, rejected: "protocol" },
  {
    name: "RFC 6455 §11.3.5: two versions",
    fields: [["sec-websocket-version", "8"]],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "RFC 9110 §9.3.6: content",
    fields: [["content-length", "3"]],
    status: 400,
    rejected: "bad_headers",
  },
  {
    name: "an origin that is not allowed",
    fields: [["origin", "null"]],
    status: 403,
    rejected: "origin",
  },
];

for (const door of ["h2c", "h2", "h3"] as const) {
  for (const row of STREAM_ROWS) {
    Deno.test(`handshake: ${door}: ${row.name}: ${row.status}`, async () => {
      const options = { allowedOrigins: ["https://a.example"] };
      await withServer(options, echo, async ({ peers, rejections }) => {
        const { protocol = "websocket", fields } = row;
        const authority = protocol === null ? "a.example:443" : "a.example";
        const answer = await peers.open(door, { protocol, fields, authority });
        assert.equal(answer.status, row.status, answer.body);
        const rejected = row.rejected === undefined ? [] : [[row.rejected, row.status]];
        assert.deepEqual(rejections, rejected);
        // RFC 8441 §5: no key, so nothing to accept it by.
        assert.equal(answer.get("sec-websocket-accept"), null);
      });
    });
  }

  Deno.test(`handshake: ${door}: an ordinary request is told that CONNECT is expected`, async () => {
    await withServer({}, echo, async ({ peers }) => {
      const answer = await peers.ask(door);
      assert.deepEqual([answer.status, answer.get("allow")], [405, "CONNECT"]);
    });
  });
}

Deno.test("handshake: without a handler there are no WebSockets", async () => {
  const fetch = () => new Response("plain");
  await withServer({ fetch }, null, async ({ peers }) => {
    for (const door of DOOR_IDS) {
      const answer = await peers.open(door);
      assert.ok(!isOpen(answer) || answer.body === "plain");
      // RFC 9110 §7.8: over HTTP/1.1 it is as if nothing had been asked for.
      assert.equal(answer.status, door.startsWith("h1") ? 200 : 501);
      assert.equal((await peers.ask(door)).body, "plain");
    }
  });
});

Deno.test("handshake: RFC 9114 §7.2.4.2: SETTINGS come with the server's first flight", async () => {
  await withServer({}, echo, async ({ port, caPem }) => {
    const rounds = new Rounds();
    // Whatever a client says to what it has heard is lost: there will be no second flight.
    await using relay = startUdpRelay(port, { rounds, loses: () => rounds.trips > 0 });
    const at = { hostname: "127.0.0.1", port: relay.port, caCerts: [caPem] };
    const client = await within("the handshake", H3Client.connect(at));
    assert.equal(await within("SETTINGS", client.extendedConnect()), true);
    client.close();
    await client.closed;
  });
});

// As of clients with ML-KEM: what they may be sent is known once all of their hello is here.
Deno.test("handshake: RFC 9114 §7.2.4.2: SETTINGS come to a client whose hello takes two packets", async () => {
  await withServer({}, echo, async ({ port, caPem }) => {
    let datagrams = 0;
    // The second part comes with the client's next try, well behind the first.
    await using relay = startUdpRelay(port, { loses: () => ++datagrams === 2 });
    const names = Array.from({ length: 8 }, (_, i) => `${i}`.padEnd(200, "."));
    const client = await within(
      "the handshake",
      connectQuic({
        ...{ hostname: "127.0.0.1", port: relay.port, caCerts: [caPem] },
        ...{ alpnProtocols: ["h3", ...names], maxStreams: 0 },
        ...{ idleTimeoutMs: 30_000, keepaliveMs: 0 },
      }),
    );
    const control = await within("the control stream", client.acceptUniStream());
    const bytes = await within("SETTINGS", control!.read());
    assert.deepEqual([bytes![0], bytes![1]], [UniStreamType.CONTROL, FrameType.SETTINGS]);
    client.close(0);
    await client.closed;
  });
});
