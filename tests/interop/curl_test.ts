// curl through every door of TCP to node:http: HTTP/1.0, HTTP/1.1, HTTP/2 by ALPN and by prior
// knowledge, and a gibibyte each way in flat memory.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { latin1 } from "../support/inbox.ts";
import { callCurl, type CurlAnswer } from "./curl.ts";
import { type Door, DOORS, type Doors, startDoors } from "./doors.ts";
import { HttpBackend, RANGED } from "./http_backend.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_CURL");
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const GROWTH_BYTES = 64 * MIB;
/** What goes each way before: memory is flat from there on. */
const WARM_BYTES = 64 * MIB;

interface Talk {
  proxy: Doors;
  backend: HttpBackend;
  door: Door;
  curl(path: string, ...args: string[]): Promise<CurlAnswer>;
}

/** Declares a test of every door of TCP, through one process of the proxy's. */
function everyDoor(name: string, body: (talk: Talk) => Promise<void>): void {
  test(`curl by h1, h1s, h2c and h2: ${name}`, async (curl) => {
    await using backend = await HttpBackend.listen();
    await using proxy = await startDoors({ backendPort: backend.port });
    for (const door of DOORS) {
      backend.requests.length = 0;
      await body({
        ...{ proxy, backend, door },
        curl: (path, ...args) => callCurl({ curl, door, proxy, path, args }),
      });
    }
  });
}

everyDoor("GET, HEAD and POST", async ({ curl, door, proxy }) => {
  const get = await curl("/a?b=c");
  assert.deepEqual([get.version, get.status], [door.http, 200]);
  assert.equal(latin1(get.body), "GET of 0 bytes\n");
  // RFC 7838 §3: where HTTP/3 is.
  assert.ok(get.head.includes(`alt-svc: h3=":${proxy.port}"; ma=86400`), get.head);
  const asked = await curl("/a", "--head");
  assert.match(asked.head, /^content-length: 16\r$/m);
  assert.equal(asked.bytesDown, 0);
  const post = await curl("/a", "--data", "x".repeat(1000));
  assert.equal(latin1(post.body), "POST of 1000 bytes\n");
});

everyDoor("Range: 206 with its bytes alone (RFC 9110 §14)", async ({ curl, backend }) => {
  const part = await curl("/range", "--range", "1000-70000");
  assert.equal(part.status, 206);
  assert.match(part.head, /^content-range: bytes 1000-70000\/1048576\r$/m);
  assert.ok(Buffer.from(part.body).equals(RANGED.subarray(1000, 70_001)));
  assert.equal(backend.requests[0].headers.range, "bytes=1000-70000");
  const whole = await curl("/range");
  assert.equal(whole.status, 200);
  assert.ok(Buffer.from(whole.body).equals(RANGED));
});

everyDoor("content of unknown length, with trailers", async ({ curl, door }) => {
  const post = await curl("/trailers", "--data", "0123456789", "--header", "TE: trailers");
  assert.equal(latin1(post.body), "with trailers\n");
  assert.match(post.head, /^x-bytes: 10\r$/m);
  assert.equal(/^transfer-encoding: chunked\r$/m.test(post.head), door.http === "1.1");
});

everyDoor("100 Continue and 103 Early Hints", async ({ curl, door }) => {
  const post = await curl("/a", "--data", "x", "--header", "Expect: 100-continue");
  assert.match(post.head, door.http === "2" ? /^http\/2 100 \r$/m : /^http\/1\.1 100 .*\r$/m);
  assert.equal(latin1(post.body), "POST of 1 bytes\n");
  const early = await curl("/early");
  const [hints, answer] = early.head.split("\r\n\r\n");
  assert.match(hints, /^http\/[\d.]+ 103 .*\r\nlink: <\/style\.css>; rel=preload$/);
  assert.match(answer, /^http\/[\d.]+ 200 /);
});

everyDoor("an upload without a length", async ({ curl, backend }) => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/data`, RANGED);
    const headers = ["--header", "Transfer-Encoding: chunked"];
    const put = await curl("/a", "--upload-file", `${folder}/data`, ...headers);
    assert.equal(latin1(put.body), `PUT of ${MIB} bytes\n`);
    assert.equal(backend.requests[0].headers["transfer-encoding"], "chunked");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("curl: HTTP/1.0 gets content without chunks, ended by the connection's end (RFC 9112 §6.3)", async (curl) => {
  await using backend = await HttpBackend.listen();
  await using proxy = await startDoors({ backendPort: backend.port });
  for (const door of DOORS.filter(({ http }) => http === "1.1")) {
    const call = { curl, door, proxy };
    // By ALPN curl would offer "http/1.0", and have no answer (RFC 7301 §3.2).
    const args = ["--http1.0", "--no-alpn"];
    const { head, body } = await callCurl({ ...call, path: "/chunked", args });
    assert.equal(latin1(body), "one two three\n");
    // RFC 9112 §6.1: no transfer coding for a client of HTTP/1.0.
    assert.doesNotMatch(head, /transfer-encoding/);
    const known = await callCurl({ ...call, path: "/a", args });
    assert.match(known.head, /^content-length: 15\r$/m);
  }
});

test("curl: Upgrade: h2c is not taken, and its request answered in HTTP/1.1", async (curl) => {
  await using backend = await HttpBackend.listen();
  await using proxy = await startDoors({ backendPort: backend.port });
  const call = { curl, door: DOORS[0], proxy, path: "/a" };
  const { version, status } = await callCurl({ ...call, args: ["--http2"] });
  assert.deepEqual([version, status], ["1.1", 200]);
  assert.equal(backend.requests[0].headers.upgrade, undefined);
  assert.equal(backend.requests[0].headers["http2-settings"], undefined);
});

test("curl: Upgrade: h2c is taken with --h2c-upgrade, and all that follows is HTTP/2", async (curl) => {
  await using backend = await HttpBackend.listen();
  await using proxy = await startDoors({ backendPort: backend.port, flags: ["--h2c-upgrade"] });
  const call = { curl, door: DOORS[0], proxy };
  // The second one goes by the connection that the first one switched.
  const next = [`http://127.0.0.1:${proxy.plainPort}/b`, "--output", "/dev/null"];
  const { version, status, head } = await callCurl({
    ...{ ...call, path: "/a" },
    args: ["--http2", ...next],
  });
  assert.deepEqual([version, status], ["2", 200]);
  assert.match(head, /^http\/1\.1 101 .*\r\n/m);
  assert.deepEqual(backend.requests.map(({ headers }) => headers.via).sort(), [
    "1.1 h3ws",
    "2 h3ws",
  ]);
  for (const { headers } of backend.requests) {
    assert.deepEqual([headers.upgrade, headers["http2-settings"]], [undefined, undefined]);
  }
  const large = await callCurl({ ...call, path: `/download/${MIB}`, args: ["--http2"] });
  assert.deepEqual([large.version, large.bytesDown], ["2", MIB]);
  const post = await callCurl({ ...call, path: "/a", args: ["--http2", "--data", "content"] });
  assert.equal(latin1(post.body), "POST of 7 bytes\n");
});

// h2c has no part that h1 and h2 have not.
for (const door of DOORS.filter(({ name }) => name !== "h2c")) {
  test(`curl by ${door.name}: a gibibyte each way, and the proxy grows by less than 64 MiB`, async (curl) => {
    const folder = await Deno.makeTempDir();
    await using backend = await HttpBackend.listen();
    await using proxy = await startDoors({ backendPort: backend.port });
    try {
      // A file with nothing in it takes no place.
      const files = { warm: `${folder}/warm`, big: `${folder}/big` };
      for (const [file, length] of [[files.warm, WARM_BYTES], [files.big, GIB]] as const) {
        using handle = await Deno.open(file, { write: true, create: true });
        await handle.truncate(length);
      }
      const upload = (file: string) =>
        callCurl({ curl, door, proxy, path: "/a", args: ["--upload-file", file] });
      const download = (length: number) => {
        const args = ["--output", "/dev/null"];
        return callCurl({ curl, door, proxy, path: `/download/${length}`, args });
      };
      const warmed = await watched(proxy, async () => {
        await upload(files.warm);
        return await download(WARM_BYTES);
      });
      const up = await watched(proxy, () => upload(files.big));
      assert.equal(up.answer.bytesUp, GIB);
      assert.equal(backend.requests.at(-1)!.bytes, GIB);
      const down = await watched(proxy, () => download(GIB));
      assert.equal(down.answer.bytesDown, GIB);
      for (const { mostBytes } of [up, down]) {
        const grown = mostBytes - warmed.mostBytes;
        assert.ok(grown < GROWTH_BYTES, `${grown} bytes above ${warmed.mostBytes}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** The proxy's resident memory at its most. */
async function watched(proxy: Doors, work: () => Promise<CurlAnswer>) {
  let mostBytes = proxy.rssBytes();
  const look = () => mostBytes = Math.max(mostBytes, proxy.rssBytes());
  const timer = setInterval(look, 50);
  try {
    const answer = await work();
    look();
    return { answer, mostBytes };
  } finally {
    clearInterval(timer);
  }
}
