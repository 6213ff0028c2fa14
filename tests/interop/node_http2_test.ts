// node:http2 as the client: WebSockets by RFC 8441, and ordinary requests to node:http.
import assert from "node:assert/strict";
import type { Field } from "../../src/protocol/wire/field.ts";
import { latin1 } from "../support/inbox.ts";
import { testCertificates, type TestProxyOptions } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { type Door, DOORS, type Doors, originOf, startDoors } from "./doors.ts";
import { flowTests } from "./flows.ts";
import { HttpBackend } from "./http_backend.ts";
import { NodeHttp2 } from "./node_http2.ts";

const HTTP2 = DOORS.filter(({ http }) => http === "2");

for (const door of HTTP2) {
  const proxy: Omit<TestProxyOptions, "backend"> = door.secure
    ? { tcp: true }
    : { plainListen: { hostname: "127.0.0.1", port: 0 } };
  flowTests({
    name: `node:http2 by ${door.name}`,
    proxy,
    test: (name, body) => Deno.test(name, () => body("")),
    async connect(_where, { proxy: { port, plainPort } }) {
      const { caPem } = await testCertificates();
      const origin = door.secure ? `https://127.0.0.1:${port}` : `http://127.0.0.1:${plainPort}`;
      return await NodeHttp2.connect(origin, caPem);
    },
  });
}

interface Talk {
  client: NodeHttp2;
  backend: HttpBackend;
  proxy: Doors;
}

/** Declares a test of each door of HTTP/2, through a process of the proxy's. */
function test(name: string, body: (talk: Talk) => Promise<void>): void {
  Deno.test(`node:http2 by h2c and h2: ${name}`, async () => {
    await using backend = await HttpBackend.listen();
    await using proxy = await startDoors({ backendPort: backend.port });
    for (const door of HTTP2) {
      await using client = await connect(door, proxy);
      await body({ client, backend, proxy });
      backend.requests.length = 0;
    }
    assert.deepEqual(proxy.log.filter(({ event }) => event === "bug"), []);
  });
}

function connect(door: Door, proxy: Doors): Promise<NodeHttp2> {
  return NodeHttp2.connect(originOf(door, proxy), proxy.caCerts[0]);
}

/** A request head; `scheme` and `authority` are added by the client. */
function head(method: string, path: string, fields: readonly Field[] = []): Field[] {
  return [[":method", method], [":path", path], ...fields];
}

test("SETTINGS_ENABLE_CONNECT_PROTOCOL = 1 (RFC 8441 §3)", ({ client }) => {
  assert.equal(client.settings.enableConnectProtocol, true);
  assert.ok(client.alpn === "h2" || client.alpn === "h2c");
  return Promise.resolve();
});

test("GET and HEAD", async ({ client, backend }) => {
  const get = client.request(head("GET", "/a?b=c"), { endStream: true });
  const { ":status": status, "content-length": length, etag, via } = await get.response();
  assert.deepEqual({ status, length, etag, via }, {
    ...{ status: 200, length: "15", etag: '"1"', via: "1.1 h3ws" },
  });
  assert.equal(latin1(await get.inbox.rest()), "GET of 0 bytes\n");
  const asked = client.request(head("HEAD", "/a"), { endStream: true });
  const answer = await asked.response();
  assert.deepEqual([answer[":status"], answer["content-length"]], [200, "16"]);
  assert.equal((await asked.inbox.rest()).length, 0);
  assert.deepEqual(backend.requests.map(({ method, url }) => [method, url]), [
    ["GET", "/a?b=c"],
    ["HEAD", "/a"],
  ]);
  const { headers } = backend.requests[0];
  assert.equal(headers["transfer-encoding"], undefined, "no content where there is none");
  assert.equal(headers.via, "2 h3ws");
});

test("POST with trailers both ways", async ({ client, backend }) => {
  const fields: Field[] = [["te", "trailers"], ["trailer", "x-end"]];
  const post = client.request(head("POST", "/trailers", fields), { waitForTrailers: true });
  post.stream.once("wantTrailers", () => post.stream.sendTrailers({ "x-end": "yes" }));
  post.stream.end("0123456789");
  assert.equal((await post.response())[":status"], 200);
  assert.equal(latin1(await post.inbox.rest()), "with trailers\n");
  assert.equal(backend.requests[0].bytes, 10);
  assert.equal(backend.requests[0].trailers["x-end"], "yes");
  await until("trailers at node:http2", () => post.trailers !== null);
  assert.deepEqual([post.trailers!["x-bytes"], post.trailers!["x-seen"]], ["10", "yes"]);
});

test("100 Continue comes before the content (RFC 9110 §10.1.1)", async ({ client, backend }) => {
  const fields: Field[] = [["expect", "100-continue"], ["content-length", "4"]];
  const post = client.request(head("POST", "/a", fields));
  await within(
    "100 Continue",
    new Promise<void>((resolve) => post.stream.once("continue", resolve)),
  );
  assert.equal(backend.requests.length, 0);
  post.stream.end("body");
  assert.equal((await post.response())[":status"], 200);
  assert.equal(latin1(await post.inbox.rest()), "POST of 4 bytes\n");
});

test("417 instead of 100 Continue", async ({ client }) => {
  const fields: Field[] = [["expect", "100-continue"], ["content-length", "4"]];
  const post = client.request(head("POST", "/refused", fields));
  let continued = false;
  post.stream.once("continue", () => continued = true);
  assert.equal((await post.response())[":status"], 417);
  assert.equal(latin1(await post.inbox.rest()), "no\n");
  assert.equal(continued, false);
  post.stream.close();
});

test("103 Early Hints before the answer (RFC 8297)", async ({ client }) => {
  const get = client.request(head("GET", "/early"), { endStream: true });
  assert.equal((await get.response())[":status"], 200);
  assert.deepEqual(get.interim.map(({ ":status": status, link }) => [status, link]), [
    [103, "</style.css>; rel=preload"],
  ]);
  assert.equal(latin1(await get.inbox.rest()), "late\n");
});

test("server-sent events come one by one, unbuffered", async ({ client, backend }) => {
  const get = client.request(head("GET", "/events"), { endStream: true });
  assert.equal((await get.response())["content-type"], "text/event-stream");
  const events = await backend.events();
  for (const text of ["data: one\n\n", "data: two\n\n", "data: three\n\n"]) {
    events.write(text);
    // The next is written only when this one is here.
    assert.equal(latin1(await get.inbox.take(text.length)), text);
  }
  events.end();
  assert.equal((await get.inbox.rest()).length, 0);
});

test("fifty requests at once on one connection", async ({ client, backend }) => {
  const paths = Array.from({ length: 50 }, (_, i) => `/n/${i}`);
  const answers = await Promise.all(paths.map(async (path, i) => {
    const post = client.request(head("POST", path));
    post.stream.end("x".repeat(i * 1000));
    return latin1(await post.inbox.rest());
  }));
  assert.deepEqual(answers, paths.map((_, i) => `POST of ${i * 1000} bytes\n`));
  assert.deepEqual(backend.requests.map(({ url }) => url).sort(), paths.sort());
});

test("a reset of the client's stream ends the request at the backend", async ({ client, backend }) => {
  const get = client.request(head("GET", "/download/1000000000"), { endStream: true });
  assert.equal((await get.response())[":status"], 200);
  await get.inbox.take(1_000_000);
  get.stream.close(8);
  await until("the end at the backend", () => backend.open === 0);
});
