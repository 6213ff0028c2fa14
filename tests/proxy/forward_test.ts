// An ordinary request through the proxy, without a door.
import assert from "node:assert/strict";
import { BackendError } from "../../src/proxy/backend.ts";
import { forward, type ForwardOptions, forwardTarget } from "../../src/proxy/forward.ts";
import type { OfferRequest } from "../../src/ingress/offer.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { NetError } from "../../src/net/error.ts";
import { Fed } from "../client/h1_pool_support.ts";
import { until } from "../support/until.ts";
import { TestOffer, withTarget } from "./forward_support.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Backend: yes\r\n\r\nok";

Deno.test("forward: a request, its answer, and what the log is told", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const content = new Fed(5, ["hel", "lo"]);
    const offer = new TestOffer({ method: "POST", path: "/a?b=c", fields: [["x", "y"]] }, content);
    const done = forward(offer, target);
    const conn = await backend.accept();
    const asked = await conn.request();
    assert.equal(`${asked.method} ${asked.target}`, "POST /a?b=c");
    assert.equal(asked.get("host"), "a.example");
    assert.equal(asked.get("x"), "y");
    assert.equal(await conn.inbox.takeUpTo("hello"), "hello");
    conn.write(OK);
    assert.deepEqual(await done, {
      status: 200,
      toBackendBytes: 5,
      toClientBytes: 2,
      reached: true,
      retried: false,
      broken: null,
    });
    assert.equal(offer.status, 200);
    assert.equal(offer.text, "ok");
    assert.equal(offer.bodyLength, 2);
    assert.equal(getField(offer.fields, "x-backend"), "yes");
    assert.equal(getField(offer.fields, "via"), "1.1 h3ws");
  });
});

const HOSTS: [name: string, host: string | null, authority: string, want: string | RegExp][] = [
  ["kept", null, "a.example:8443", "a.example:8443"],
  ["set", "b.example", "a.example", "b.example"],
  ["that of the backend where HTTP/1.0 has none", null, "", /^127\.0\.0\.1:[0-9]+$/],
];

for (const [name, host, authority, want] of HOSTS) {
  Deno.test(`forward: Host is ${name}`, async () => {
    await withTarget({ host }, async ({ backend, target }) => {
      const done = forward(new TestOffer({ authority }), target);
      const conn = await backend.accept();
      const got = (await conn.request()).get("host")!;
      if (typeof want === "string") assert.equal(got, want);
      else assert.match(got, want);
      conn.write(OK);
      await done;
    });
  });
}

const TARGETS: [path: string, base: string | null, strip: string | null, want: string][] = [
  ["/", null, null, "/"],
  ["/a/b?c=d", null, null, "/a/b?c=d"],
  ["*", "/base", "/x", "*"],
  ["//evil.example/x", null, null, "/evil.example/x"],
  ["/x", "/base", null, "/base/x"],
  ["/x", "/base/", null, "/base/x"],
  ["/", "/", null, "/"],
  ["/api/x?y", null, "/api", "/x?y"],
  ["/api/x", null, "/api/", "/x"],
  ["/api", null, "/api", "/"],
  ["/api?y=1", null, "/api", "/?y=1"],
  ["/api//evil.example", null, "/api", "/evil.example"],
  ["/apis/x", null, "/api", "/apis/x"],
  ["/other", null, "/api", "/other"],
  ["/api/x", "/base", "/api", "/base/x"],
  ["/a%2Fb/%00?x=%20", null, null, "/a%2Fb/%00?x=%20"],
];

for (const [path, base, strip, want] of TARGETS) {
  Deno.test(`forward: ${path} behind ${base}, without ${strip}, is ${want}`, () => {
    assert.equal(forwardTarget(path, base, strip), want);
  });
}

Deno.test("forward: trailers pass both ways", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const content = new Fed(null, ["a"]);
    content.trailers = [["x-up", "1"]];
    const offer = new TestOffer({ method: "POST", fields: [["te", "trailers"]] }, content);
    const done = forward(offer, target);
    const conn = await backend.accept();
    const asked = await conn.request();
    assert.equal(asked.get("te"), "trailers");
    assert.equal(asked.get("connection"), "te");
    assert.equal(await conn.inbox.takeUpTo("\r\n\r\n"), "1\r\na\r\n0\r\nX-Up: 1\r\n\r\n");
    conn.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-down\r\n\r\n");
    conn.write("2\r\nok\r\n0\r\nX-Down: 2\r\nContent-Length: 9\r\n\r\n");
    await done;
    assert.equal(offer.text, "ok");
    assert.deepEqual(offer.trailers, [["x-down", "2"]]);
    assert.equal(getField(offer.fields, "trailer"), "x-down");
    assert.equal(getField(offer.fields, "transfer-encoding"), null);
  });
});

Deno.test("forward: interim answers pass, without what is for one hop", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const offer = new TestOffer();
    const done = forward(offer, target);
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n");
    await until("the hint", () => offer.informed.length === 1);
    assert.equal(offer.status, 0);
    conn.write(OK);
    await done;
    assert.deepEqual(offer.informed, [[103, [["link", "</a>"]]]]);
  });
});

Deno.test("forward: Expect: 100-continue goes end to end", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const content = new Fed(2, ["ab"]);
    const fields: Field[] = [["expect", "100-continue"]];
    const offer = new TestOffer({ http: "1.1", method: "PUT", fields }, content);
    const done = forward(offer, target);
    const conn = await backend.accept();
    assert.equal((await conn.request()).get("expect"), "100-continue");
    assert.equal(content.reads, 0);
    conn.write("HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(await conn.inbox.takeUpTo("ab"), "ab");
    conn.write(OK);
    await done;
    assert.deepEqual(offer.informed, [[100, []]]);
  });
});

const BODILESS: [method: string, head: string, length: string | null][] = [
  ["HEAD", "200 OK\r\nContent-Length: 5", "5"],
  ["GET", "204 No Content", null],
  ["GET", '304 Not Modified\r\nContent-Length: 5\r\nETag: "a"', "5"],
];

for (const [method, head, length] of BODILESS) {
  Deno.test(`forward: no content to ${method}: ${head.slice(0, 3)}`, async () => {
    await withTarget({}, async ({ backend, target }) => {
      const offer = new TestOffer({ method });
      const done = forward(offer, target);
      const conn = await backend.accept();
      await conn.request();
      conn.write(`HTTP/1.1 ${head}\r\n\r\n`);
      const result = await done;
      assert.equal(result.status, Number(head.slice(0, 3)));
      assert.equal(offer.bodyLength, undefined);
      assert.equal(getField(offer.fields, "content-length"), length);
    });
  });
}

Deno.test("forward: ranges and codings are the backend's matter", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const fields: Field[] = [["range", "bytes=0-1"], ["accept-encoding", "gzip"]];
    const offer = new TestOffer({ fields });
    const done = forward(offer, target);
    const conn = await backend.accept();
    const asked = await conn.request();
    assert.equal(asked.get("range"), "bytes=0-1");
    assert.equal(asked.get("accept-encoding"), "gzip");
    conn.write(
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Encoding: gzip\r\n" +
        "Content-Length: 2\r\n\r\n\x1f\x8b",
    );
    await done;
    assert.equal(offer.status, 206);
    assert.equal(getField(offer.fields, "content-range"), "bytes 0-1/9");
    assert.equal(getField(offer.fields, "content-encoding"), "gzip");
    assert.equal(offer.text, "\x1f\x8b");
  });
});

Deno.test("forward: server-sent events pass one by one", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const offer = new TestOffer();
    const done = forward(offer, target);
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
    conn.write("Transfer-Encoding: chunked\r\n\r\n");
    for (const n of [1, 2, 3]) {
      conn.write(`9\r\ndata: ${n}\n\n\r\n`);
      await until(`event ${n}`, () => offer.parts.length === n);
    }
    offer.leave();
    conn.write("9\r\ndata: 4\n\n\r\n");
    const { broken } = await done;
    assert.equal(broken?.by, "client");
    // The backend sees at once that nobody listens.
    await conn.inbox.rest();
  });
});

Deno.test("forward: content is not read faster than the client takes it", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const offer = new TestOffer();
    const slow = Promise.withResolvers<void>();
    offer.take = () => slow.promise;
    const done = forward(offer, target);
    const conn = await backend.accept();
    await conn.request();
    const megabyte = new Uint8Array(1 << 20);
    conn.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 << 20}\r\n\r\n`);
    let sent = 0;
    for (; sent < 64; sent++) conn.socket.write(megabyte);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.ok(conn.socket.writableLength > 32 << 20, `${conn.socket.writableLength} B wait`);
    offer.leave();
    slow.resolve();
    assert.equal((await done).broken?.by, "client");
  });
});

Deno.test("forward: an answer that breaks off is not whole, and is the backend's fault", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const offer = new TestOffer();
    const done = forward(offer, target);
    const conn = await backend.accept();
    await conn.request();
    conn.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
    await until("the first bytes", () => offer.parts.length === 1);
    conn.fin();
    const result = await done;
    assert.equal(result.broken?.by, "backend");
    assert.equal(result.toClientBytes, 2);
    assert.equal(offer.whole, false);
  });
});

Deno.test("forward: a client that goes before the answer ends the backend's request", async () => {
  await withTarget({}, async ({ backend, target, pool }) => {
    const offer = new TestOffer();
    const done = forward(offer, target);
    const conn = await backend.accept();
    await conn.request();
    offer.leave();
    const result = await done;
    assert.deepEqual([result.status, result.broken?.by], [0, "client"]);
    assert.equal(pool.connections, 0);
    await conn.inbox.rest();
    assert.equal(offer.status, 0);
  });
});

Deno.test("forward: content that breaks off is the client's fault", async () => {
  await withTarget({}, async ({ backend, target }) => {
    const content = new Fed(9, ["ab"], false);
    const offer = new TestOffer({ method: "POST" }, content);
    const done = forward(offer, target);
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("ab");
    content.push(new NetError("reset", "stream reset"));
    const result = await done;
    assert.deepEqual([result.status, result.broken?.by], [0, "client"]);
    await conn.inbox.rest();
  });
});

const FAILURES: { name: string; answer: string; status: 502 | 504; stage: string }[] = [
  { name: "ends without an answer", answer: "", status: 502, stage: "backend_handshake" },
  { name: "answers nonsense", answer: "hello\r\n\r\n", status: 502, stage: "backend_handshake" },
  {
    name: "answers an unasked 101",
    answer: "HTTP/1.1 101 X\r\n\r\n",
    status: 502,
    stage: "backend_handshake",
  },
];

for (const { name, answer, status, stage } of FAILURES) {
  Deno.test(`forward: ${status} for a backend that ${name}`, async () => {
    await withTarget({}, async ({ backend, target }) => {
      const offer = new TestOffer();
      const done = forward(offer, target);
      done.catch(() => {});
      const conn = await backend.accept();
      await conn.request();
      if (answer === "") conn.fin();
      else conn.write(answer);
      await assert.rejects(
        done,
        (error) =>
          error instanceof BackendError && error.status === status && error.stage === stage,
      );
      assert.equal(offer.status, 0);
    });
  });
}

Deno.test("forward: 504 for a backend that is too slow", async () => {
  await withTarget({ timeouts: { answerTimeoutMs: 60 } }, async ({ backend, target }) => {
    const done = forward(new TestOffer(), target);
    done.catch(() => {});
    await backend.accept();
    await assert.rejects(done, (error) => error instanceof BackendError && error.status === 504);
  });
});

Deno.test("forward: 502 for a backend that is not there, and the content is untouched", async () => {
  await withTarget({}, async ({ backend, target }) => {
    await backend.close();
    const content = new Fed(2, ["ab"]);
    const offer = new TestOffer({ method: "POST" }, content);
    await assert.rejects(
      forward(offer, target),
      (error) =>
        error instanceof BackendError && error.status === 502 && error.stage === "backend_dial" &&
        error.message.startsWith(`Cannot dial ${target.url}: `),
    );
    assert.deepEqual([content.reads, content.cancelled], [0, false]);
  });
});

const OWN: { name: string; init: Partial<OfferRequest>; status: number }[] = [
  { name: "a path that HTTP/1.1 can't write", init: { path: "/a b" }, status: 400 },
  { name: "a Host that HTTP/1.1 can't write", init: { authority: "a/b" }, status: 400 },
  {
    name: "RFC 9110 §7.6.2: OPTIONS with Max-Forwards: 0",
    init: { method: "OPTIONS", fields: [["max-forwards", "0"]] },
    status: 204,
  },
  {
    name: "RFC 9110 §7.6.2: TRACE with Max-Forwards: 0",
    init: { method: "TRACE", fields: [["max-forwards", "0"]] },
    status: 405,
  },
];

for (const { name, init, status } of OWN) {
  Deno.test(`forward: answered without the backend: ${name}`, async () => {
    await withTarget({}, async ({ backend, target }) => {
      const offer = new TestOffer(init);
      assert.equal((await forward(offer, target)).status, status);
      assert.equal(offer.status, status);
      assert.equal(backend.connections.length, 0);
    });
  });
}

Deno.test("forward: a stale connection is told of", async () => {
  await withTarget({}, async ({ backend, target, pool }) => {
    const first = forward(new TestOffer(), target);
    const conn = await backend.accept();
    await conn.inbox.takeUpTo("\r\n\r\n");
    conn.write(OK);
    await first;
    await until("the connection to be idle", () => pool.idle === 1);
    const second = forward(new TestOffer(), target);
    await conn.inbox.takeUpTo("\r\n\r\n");
    conn.fin();
    const next = await backend.accept();
    await next.request();
    next.write(OK);
    assert.equal((await second).retried, true);
  });
});

Deno.test("forward: rules for the fields of both messages", async () => {
  const options: ForwardOptions = {
    request: { remove: new Set(["cookie"]), set: [["x-route", "7"]] },
    response: { remove: new Set(["server"]), set: [["x-frame-options", "DENY"]], altSvc: "clear" },
  };
  await withTarget({}, async ({ backend, target }) => {
    const offer = new TestOffer({ fields: [["cookie", "a=b"], ["x-route", "0"]] });
    const done = forward(offer, target, options);
    const conn = await backend.accept();
    const asked = await conn.request();
    assert.equal(asked.get("cookie"), null);
    assert.deepEqual(asked.fields.filter(([name]) => name === "x-route"), [["x-route", "7"]]);
    conn.write(
      'HTTP/1.1 200 OK\r\nServer: x\r\nAlt-Svc: h3=":1"\r\nX-Frame-Options: SAMEORIGIN\r\n' +
        "Content-Length: 0\r\n\r\n",
    );
    await done;
    assert.deepEqual(offer.fields, [
      ["content-length", "0"],
      ["via", "1.1 h3ws"],
      ["alt-svc", "clear"],
      ["x-frame-options", "DENY"],
    ]);
  });
});
