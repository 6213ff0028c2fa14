// Which header fields reach the backend and the client, and which path is asked for.
import assert from "node:assert/strict";
import { type Field, getFields } from "../../src/protocol/wire/field.ts";
import type { SeenRequest } from "../support/backend.ts";
import { type TestProxyOptions, withProxy } from "../support/proxy.ts";
import type { Pseudo, RawResponse } from "../support/raw_h3.ts";

interface Asked {
  request: SeenRequest;
  answer: RawResponse;
}

/** Opens one session: what the backend was asked, and what the client was answered. */
async function ask(
  { pseudo, fields = [], lines = [], options = {} }: {
    pseudo?: Pseudo;
    fields?: Field[];
    /** Of the backend's 101. */
    lines?: string[];
    options?: TestProxyOptions;
  },
): Promise<Asked> {
  let asked: Asked | null = null;
  await withProxy(options, async (t) => {
    const quic = await t.connect();
    const client = await quic.connectWs(pseudo, fields);
    const conn = await t.backend.accept();
    const request = await conn.request();
    conn.upgrade(lines);
    const answer = await client.response();
    assert.equal(answer.status, 200);
    asked = { request, answer };
    await client.fin();
    conn.fin();
  });
  return asked!;
}

Deno.test("headers: all end-to-end fields reach the backend, as they are", async () => {
  const fields: Field[] = [
    ["origin", "https://app.example"],
    ["authorization", "Bearer abc.def"],
    ["user-agent", "Mozilla/5.0 (X)"],
    ["accept-language", "de, en;q=0.5"],
    ["x-custom", "one"],
    ["x-custom", "two"],
    ["x-latin1", "caf\xe9"],
    ["x-empty", ""],
    ["priority", "u=1"],
    ["sec-websocket-protocol", "chat.v2, chat.v1"],
    ["sec-websocket-extensions", "permessage-deflate; client_max_window_bits"],
  ];
  const { request } = await ask({ fields });
  for (const [name] of fields) {
    assert.deepEqual(getFields(request.fields, name), getFields(fields, name), name);
  }
});

Deno.test("headers: RFC 9114 §4.2.1: several Cookie fields become one", async () => {
  const fields: Field[] = [["cookie", "a=1"], ["x", "y"], ["cookie", "b=2"], ["cookie", "c=3"]];
  const { request } = await ask({ fields });
  assert.deepEqual(getFields(request.fields, "cookie"), ["a=1; b=2; c=3"]);
});

Deno.test("headers: the request is a right upgrade of HTTP/1.1 (RFC 6455 §4.1)", async () => {
  const { request } = await ask({ pseudo: { authority: "chat.example:8443" } });
  assert.match(request.text, /^GET \/ws HTTP\/1\.1\r\n/);
  const only = (name: string) => {
    const values = getFields(request.fields, name);
    assert.equal(values.length, 1, name);
    return values[0];
  };
  assert.equal(only("host"), "chat.example:8443", "Host is kept");
  assert.match(only("connection"), /^upgrade$/i);
  assert.match(only("upgrade"), /^websocket$/i);
  assert.equal(only("sec-websocket-version"), "13");
  assert.match(only("sec-websocket-key"), /^[A-Za-z0-9+/]{22}==$/);
  assert.match(request.text, /\r\nSec-WebSocket-Key: /, "names in the case that all know");
  assert.equal(request.get("content-length"), null);
  assert.equal(request.get("transfer-encoding"), null);
});

Deno.test("headers: no pseudo-header field, and none of one hop, reaches the backend", async () => {
  const { request } = await ask({
    fields: [["te", "trailers"], ["proxy-authorization", "Basic x"], ["trailer", "x"]],
  });
  for (const [name] of request.fields) assert.ok(!name.startsWith(":"), name);
  for (const name of ["te", "proxy-authorization", "trailer", "keep-alive"]) {
    assert.equal(request.get(name), null, name);
  }
});

Deno.test("headers: X-Forwarded-*, Forwarded and the handshake's own are not the client's", async () => {
  const spoofed: Field[] = [
    ["x-forwarded-for", "6.6.6.6"],
    ["x-forwarded-for", "7.7.7.7"],
    ["x-forwarded-proto", "gopher"],
    ["x-forwarded-host", "evil.example"],
    ["forwarded", "for=6.6.6.6"],
    ["sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="],
    ["sec-websocket-accept", "x"],
    ["host", "localhost"],
    ["content-length", "0"],
  ];
  const { request } = await ask({ fields: spoofed });
  assert.deepEqual(getFields(request.fields, "x-forwarded-for"), ["127.0.0.1"]);
  assert.deepEqual(getFields(request.fields, "x-forwarded-proto"), ["https"]);
  assert.deepEqual(getFields(request.fields, "x-forwarded-host"), ["localhost"]);
  assert.deepEqual(getFields(request.fields, "host"), ["localhost"]);
  assert.deepEqual(getFields(request.fields, "sec-websocket-key").length, 1);
  assert.notEqual(request.get("sec-websocket-key"), "AAAAAAAAAAAAAAAAAAAAAA==");
  for (const name of ["forwarded", "sec-websocket-accept", "content-length"]) {
    assert.equal(request.get(name), null, name);
  }
});

for (const scheme of ["http", "wss", "HTTPS"]) {
  Deno.test(`headers: X-Forwarded-Proto is https whatever :scheme says: ${scheme}`, async () => {
    const { request } = await ask({ pseudo: { scheme } });
    assert.deepEqual(getFields(request.fields, "x-forwarded-proto"), ["https"]);
  });
}

Deno.test("headers: RFC 9110 §7.6.3: Via is appended to, both ways", async () => {
  const { request, answer } = await ask({
    fields: [["via", "2 edge"], ["via", "1.1 inner"]],
    lines: ["Via: 1.1 deep"],
  });
  assert.deepEqual(getFields(request.fields, "via"), ["2 edge, 1.1 inner, 3 h3ws"]);
  assert.deepEqual(getFields(answer.fields, "via"), ["1.1 deep, 1.1 h3ws"]);
  const plain = await ask({});
  assert.deepEqual(getFields(plain.request.fields, "via"), ["3 h3ws"]);
});

Deno.test("headers: the fields of the 101 reach the client, but none of one hop", async () => {
  const { answer } = await ask({
    fields: [
      ["sec-websocket-protocol", "a, b"],
      ["sec-websocket-extensions", "permessage-deflate"],
    ],
    lines: [
      "Sec-WebSocket-Protocol: b",
      "Sec-WebSocket-Extensions: permessage-deflate",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "X-Node: n1",
      "Connection: X-Hop",
      "X-Hop: 1",
      "Keep-Alive: timeout=5",
      "Date: Sat, 01 Jan 2000 00:00:00 GMT",
    ],
  });
  assert.equal(answer.get("sec-websocket-protocol"), "b");
  assert.equal(answer.get("sec-websocket-extensions"), "permessage-deflate");
  assert.deepEqual(getFields(answer.fields, "set-cookie"), ["a=1", "b=2"]);
  assert.equal(answer.get("x-node"), "n1");
  assert.equal(answer.get("date"), "Sat, 01 Jan 2000 00:00:00 GMT");
  const gone = ["connection", "upgrade", "x-hop", "keep-alive", "sec-websocket-accept"];
  for (const name of gone) assert.equal(answer.get(name), null, name);
});

Deno.test("headers: a backend that chooses no subprotocol gives none to the client", async () => {
  const { answer } = await ask({ fields: [["sec-websocket-protocol", "a"]] });
  assert.equal(answer.get("sec-websocket-protocol"), null);
});

interface Target {
  name: string;
  backendPath: string | null;
  path: string;
  want: string;
}

const TARGETS: Target[] = [
  {
    name: "the request's path and query",
    backendPath: null,
    path: "/ws?a=1&b=%20",
    want: "/ws?a=1&b=%20",
  },
  { name: "the backend's path instead", backendPath: "/chat/v1", path: "/ws", want: "/chat/v1" },
  {
    name: "the backend's path, the request's query",
    backendPath: "/chat",
    path: "/ws?a=1?b",
    want: "/chat?a=1?b",
  },
  { name: "the backend's path, if only /", backendPath: "/", path: "/ws?t=1", want: "/?t=1" },
  {
    name: "no authority out of a path: //host/path",
    backendPath: null,
    path: "//evil.example/ws",
    want: "/evil.example/ws",
  },
  {
    name: "percent-encoding is left alone",
    backendPath: null,
    path: "/a%2Fb/%E2%82%AC?%00",
    want: "/a%2Fb/%E2%82%AC?%00",
  },
  { name: "dots are left alone", backendPath: null, path: "/a/../b", want: "/a/../b" },
];

for (const { name, backendPath, path, want } of TARGETS) {
  Deno.test(`headers: the backend is asked for ${name}`, async () => {
    const options = { path: { regexp: /^/ }, backend: { path: backendPath } };
    const { request } = await ask({ pseudo: { path }, options });
    assert.deepEqual([request.method, request.target], ["GET", want]);
  });
}

Deno.test("headers: an authority that HTTP/3 lets through is one for HTTP/1.1, too", async () => {
  for (const authority of ["[::1]:443", "a_b.example", "localhost:", "1.2.3.4"]) {
    const { request } = await ask({ pseudo: { authority } });
    assert.equal(request.get("host"), authority);
  }
});
