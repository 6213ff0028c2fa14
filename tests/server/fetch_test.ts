// Ordinary requests by a `fetch` handler, over every version of HTTP.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { FetchHandler, FetchInfo } from "../../src/server/fetch.ts";
import { fromFetch } from "../../src/server/from_fetch.ts";
import { DOOR_IDS, type DoorId, isOpen, say } from "../support/door_peers.ts";
import { NodeHttp2 } from "../interop/node_http2.ts";
import { RawH2 } from "../support/raw_h2.ts";
import { RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, type TestServer, withServer } from "./support.ts";

/** Deno's own client, which is none of ours: over TLS HTTP/2, in clear text HTTP/1.1. */
async function fetchFrom(
  t: TestServer,
  path: string,
  { plain = false, ...init }: RequestInit & { plain?: boolean } = {},
): Promise<Response> {
  using client = Deno.createHttpClient({ caCerts: [t.caPem] });
  const origin = plain ? `http://127.0.0.1:${t.plainPort}` : `https://localhost:${t.port}`;
  const response = await fetch(`${origin}${path}`, { ...init, client } as RequestInit);
  return new Response(await response.arrayBuffer(), response);
}

for (const door of DOOR_IDS) {
  const secure = door !== "h1" && door !== "h2c";

  Deno.test(`fetch: ${door}: the request as the platform has it, and the answer as it was made`, async () => {
    const seen: { request: Request; info: FetchInfo; body: string }[] = [];
    const fetch: FetchHandler = async (request, info) => {
      seen.push({ request, info, body: await request.text() });
      const headers = new Headers({ "x-a": "1" });
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response("made\n", { status: 201, headers });
    };
    await withServer({ fetch }, echo, async ({ peers, port, lines }) => {
      const answer = await peers.ask(door, {
        method: "POST",
        path: "/a/%C3%A9?x=1",
        authority: "a.example:99",
        fields: [["x-b", "2"], ["cookie", "a=1"]],
        body: "content",
      });
      assert.deepEqual([answer.status, answer.body], [201, "made\n"]);
      assert.equal(answer.get("x-a"), "1");
      assert.equal(answer.get("content-length"), "5", "it was there as a whole");
      const cookies = answer.fields.filter(([name]) => name === "set-cookie");
      assert.deepEqual(cookies.map(([, value]) => value), ["a=1", "b=2"]);
      assert.ok(Math.abs(Date.parse(answer.get("date")!) - Date.now()) < 60_000);
      assert.equal(answer.get("alt-svc"), door === "h3" ? null : `h3=":${port}"; ma=86400`);
      const [{ request, info, body }] = seen;
      assert.equal(request.method, "POST");
      assert.equal(request.url, `${secure ? "https" : "http"}://a.example:99/a/%C3%A9?x=1`);
      assert.equal(request.headers.get("host"), "a.example:99");
      assert.equal(request.headers.get("x-b"), "2");
      assert.equal(request.headers.get("cookie"), "a=1");
      assert.equal(body, "content");
      assert.equal(info.httpVersion, door === "h3" ? "3" : door.startsWith("h2") ? "2" : "1.1");
      assert.equal(info.remoteAddr.transport, door === "h3" ? "udp" : "tcp");
      assert.equal(info.remoteAddr.hostname, "127.0.0.1");
      assert.ok(info.remoteAddr.port > 0);
      const tunnel = await peers.open(door);
      assert.ok(isOpen(tunnel));
      assert.equal(await say(tunnel, "beside it"), "beside it");
      assert.deepEqual(lines, []);
    });
  });

  Deno.test(`fetch: ${door}: answers of all kinds`, async () => {
    const answers: Record<string, () => Response> = {
      "/empty": () => new Response(null, { status: 204 }),
      "/nothing": () => new Response(null),
      "/bytes": () => new Response(new Uint8Array([0, 255])),
      "/parts": () => new Response(ReadableStream.from(parts())),
      "/counted": () => new Response("abc", { headers: { "content-length": "99" } }),
      "/moved": () => Response.redirect("https://b.example/", 308),
      "/json": () => Response.json({ a: 1 }),
      "/dated": () => new Response("", { headers: { date: "now", "alt-svc": "clear" } }),
    };
    const fetch: FetchHandler = (request) => answers[new URL(request.url).pathname]();
    await withServer({ fetch }, echo, async ({ peers, lines }) => {
      const ask = (path: string, method?: string) => peers.ask(door, { path, method });
      assert.deepEqual(await ask("/empty").then(({ status, body }) => [status, body]), [204, ""]);
      assert.equal((await ask("/nothing")).get("content-length"), "0");
      assert.equal((await ask("/bytes")).body, "\x00\xff");
      if (door === "h2" || door === "h2c" || door === "h3") {
        assert.equal((await ask("/parts")).body, "one two three");
      }
      const counted = await ask("/counted");
      assert.deepEqual([counted.body, counted.get("content-length")], ["abc", "3"]);
      assert.equal((await ask("/moved")).get("location"), "https://b.example/");
      assert.equal((await ask("/json")).get("content-type"), "application/json");
      const dated = await ask("/dated");
      assert.deepEqual([dated.get("date"), dated.get("alt-svc")], ["now", "clear"]);
      // RFC 9110 §9.3.2: what a GET would get, without the content.
      const head = await ask("/bytes", "HEAD");
      assert.deepEqual([head.status, head.body, head.get("content-length")], [200, "", "2"]);
      assert.deepEqual(lines, []);
    });
  });

  Deno.test(`fetch: ${door}: a handler that fails gets 500, in the log with its stack, or what onError says`, async () => {
    const fetch = ((request: Request) => {
      switch (new URL(request.url).pathname) {
        case "/throws":
          throw new Error("of the handler");
        case "/nothing":
          return undefined;
        case "/error":
          return Response.error();
        case "/stream":
          return new Response(ReadableStream.from(["text"]) as ReadableStream);
        default:
          return new Response("fine");
      }
    }) as FetchHandler;
    const failing = ["/throws", "/nothing", "/error", "/stream"];
    await withServer({ fetch }, echo, async ({ peers, errors }) => {
      for (const path of failing) assert.equal((await peers.ask(door, { path })).status, 500, path);
      assert.deepEqual(
        errors().map(({ event }) => event),
        failing.map(() => "server.handler_failed"),
      );
      assert.match(String(errors()[0].error), /^Error: of the handler\n +at /);
      assert.equal((await peers.ask(door)).body, "fine");
    });
    const onError = (error: unknown) => new Response(`sorry: ${error}`, { status: 503 });
    await withServer({ fetch, onError }, echo, async ({ peers }) => {
      const answer = await peers.ask(door, { path: "/throws" });
      assert.deepEqual([answer.status, answer.body], [503, "sorry: Error: of the handler"]);
    });
    const worse = () => {
      throw new Error("worse");
    };
    await withServer({ fetch, onError: worse }, echo, async ({ peers, errors }) => {
      assert.equal((await peers.ask(door, { path: "/throws" })).status, 500);
      assert.deepEqual(errors().map(({ where }) => where), ["fetch", "onError"]);
    });
  });
}

async function* parts(): AsyncGenerator<Uint8Array> {
  for (const text of ["one ", "", "two ", "three"]) {
    yield new TextEncoder().encode(text);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

for (const plain of [true, false]) {
  const over = plain ? "HTTP/1.1 in clear text" : "HTTP/2 by TLS";

  Deno.test(`fetch: Deno's fetch over ${over}: content is streamed both ways`, async () => {
    const fetch: FetchHandler = (request) => new Response(request.body);
    await withServer({ fetch }, echo, async (t) => {
      const bytes = crypto.getRandomValues(new Uint8Array(65_536));
      const chunks = Array.from({ length: 64 }, () => bytes);
      const response = await fetchFrom(t, "/", {
        ...{ plain, method: "POST" },
        body: ReadableStream.from(chunks),
      });
      const back = new Uint8Array(await response.arrayBuffer());
      assert.equal(response.status, 200);
      assert.equal(back.length, 64 * bytes.length);
      const hash = createHash("sha256");
      for (const chunk of chunks) hash.update(chunk);
      assert.equal(createHash("sha256").update(back).digest("hex"), hash.digest("hex"));
    });
  });

  Deno.test(`fetch: Deno's fetch over ${over}: a client that goes fires the signal, and ends what is made for it`, async () => {
    let [asked, gone, cancelled] = events();
    const fetch: FetchHandler = async (request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      if (request.url.endsWith("/waits")) {
        asked.resolve();
        await gone.promise;
        return new Response("nobody reads this");
      }
      const begun = new TextEncoder().encode("begun");
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(begun),
        pull: () => asked.resolve(),
        cancel: () => cancelled.resolve(),
      }, { highWaterMark: 2 });
      return new Response(body);
    };
    for (const path of ["/waits", "/streams"]) {
      [asked, gone, cancelled] = events();
      await withServer({ fetch }, echo, async (t) => {
        const { signal, abort } = controllerOf();
        const asking = fetchFrom(t, path, { plain, signal }).catch(() => {});
        await within("the handler", asked.promise);
        abort();
        if (path === "/waits") await within("the signal", gone.promise);
        else await within("the body's cancel", cancelled.promise);
        await asking;
        assert.deepEqual(t.errors(), []);
      });
    }
  });
}

function events() {
  return Array.from({ length: 3 }, () => Promise.withResolvers<void>());
}

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

/** How an answer whose body broke ended: never as a whole one. */
const BREAKS: Record<DoorId, (t: TestServer) => Promise<void>> = {
  h1: async ({ peers }) => {
    const client = await peers.h1("h1");
    client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert.doesNotMatch(await client.ended(), /\r\n0\r\n/, "no last chunk");
  },
  h1s: async ({ peers }) => {
    const client = await peers.h1("h1s");
    client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assert.doesNotMatch(await client.ended(), /\r\n0\r\n/, "no last chunk");
  },
  h2c: (t) => resetOverH2(`http://127.0.0.1:${t.plainPort}`, t),
  h2: (t) => resetOverH2(`https://localhost:${t.port}`, t),
  h3: async ({ port, caPem }) => {
    const client = await RawClient.connect({ port, caCerts: [caPem] });
    const stream = await client.request([
      ...[[":method", "GET"], [":scheme", "https"]] as const,
      ...[[":authority", "localhost"], [":path", "/"]] as const,
    ]);
    await stream.fin();
    await stream.answer();
    assert.ok(stream.trailers?.some(([name]) => name.startsWith(":")), "malformed trailers");
    client.close();
    await client.quic.closed;
  },
};

async function resetOverH2(origin: string, { caPem }: TestServer): Promise<void> {
  await using client = await NodeHttp2.connect(origin, caPem);
  const { stream, inbox } = client.request([[":path", "/"], [":method", "GET"]]);
  stream.end();
  await inbox.rest();
  assert.equal(inbox.ending, "broken");
}

for (const door of DOOR_IDS) {
  Deno.test(`fetch: ${door}: a body that breaks off does not look whole, and is in the log`, async () => {
    const faults: Record<string, () => ReadableStream> = {
      "its stream fails": () => ReadableStream.from(failing()),
      "it has less than its Content-Length": () => ReadableStream.from(parts()),
    };
    for (const [name, body] of Object.entries(faults)) {
      const counted = name.includes("Content-Length");
      const headers: HeadersInit = counted ? { "content-length": "100" } : {};
      const fetch: FetchHandler = () => new Response(body(), { headers });
      await withServer({ fetch }, echo, async (t) => {
        await BREAKS[door](t);
        await until("a line", () => t.errors().length > 0);
        assert.deepEqual(t.errors().map(({ event }) => event), ["server.handler_failed"], name);
      });
    }
  });
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield* parts();
  throw new Error("the source broke");
}

Deno.test("fetch: RFC 9110 §7.8: an Upgrade to what is no WebSocket is an ordinary request", async () => {
  await withServer({ fetch: () => new Response("plain") }, echo, async ({ peers }) => {
    const fields = [["connection", "Upgrade, HTTP2-Settings"], ["upgrade", "h2c"]] as const;
    const answer = await peers.ask("h1", { fields });
    assert.deepEqual([answer.status, answer.body], [200, "plain"]);
  });
});

Deno.test("fetch: what no Request can be is refused: TRACE, and a host that is none", async () => {
  await withServer({ fetch: () => new Response("plain") }, echo, async ({ peers }) => {
    for (const door of DOOR_IDS) {
      assert.equal((await peers.ask(door, { method: "TRACE" })).status, 501, door);
    }
    // RFC 9110 §7.1: for the server as a whole.
    assert.equal((await peers.ask("h1", { method: "OPTIONS", path: "*" })).status, 200);
  });
});

for (const door of ["h2c", "h2", "h3"] as const) {
  // RFC 9113 §8.3.1, RFC 9114 §4.3.1: only of http and https a path begins with a slash.
  Deno.test(`fetch: ${door}: a path without a slash does not become part of the host`, async () => {
    const urls: string[] = [];
    const fetch: FetchHandler = ({ url }) => {
      urls.push(url);
      return new Response("plain");
    };
    await withServer({ fetch }, echo, async (t) => {
      const fields = [
        ...[[":method", "GET"], [":scheme", "foo"]] as const,
        ...[[":authority", "a"], [":path", ".evil.example/"]] as const,
      ];
      let status: number | null;
      if (door === "h3") {
        const client = await RawClient.connect({ port: t.port, caCerts: [t.caPem] });
        const stream = await client.request(fields);
        await stream.fin();
        status = (await stream.answer()).status;
        client.close();
        await client.quic.closed;
      } else {
        const client = await RawH2.connect(
          door === "h2" ? { port: t.port, caCerts: [t.caPem] } : { port: t.plainPort },
        );
        status = (await client.over(client.request(fields))).status;
        await client.close();
      }
      assert.equal(status, 400);
      assert.deepEqual(urls, []);
    });
  });
}

Deno.test("fetch: fromFetch gives an application its requests, with itself as this", async () => {
  class App {
    readonly #name = "app";
    fetch(request: Request, info?: FetchInfo): Response | undefined {
      const { pathname } = new URL(request.url);
      return pathname === "/" ? new Response(`${this.#name} ${info?.httpVersion}`) : undefined;
    }
  }
  await withServer({ fetch: fromFetch(new App()) }, null, async ({ peers }) => {
    assert.equal((await peers.ask("h3")).body, "app 3");
    assert.equal((await peers.ask("h2")).body, "app 2");
    assert.equal((await peers.ask("h1", { path: "/x" })).status, 404);
  });
});
