// A program's own `authorize`: who may reach a backend, over every door.
import assert from "node:assert/strict";
import type { Authorization, AuthorizeRequest } from "../../src/proxy/authorize.ts";
import type { ProxyOptions } from "../../src/proxy/options.ts";
import { DOOR_IDS, type DoorId, isOpen, say } from "../support/door_peers.ts";
import { type NamedDoors, withNamedDoors } from "../support/named_doors.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

type Authorize = (request: AuthorizeRequest) => Authorization | Promise<Authorization>;

function withAuthorize(
  authorize: Authorize,
  body: (doors: NamedDoors) => Promise<void>,
  options: Partial<Omit<ProxyOptions, "backend">> = {},
): Promise<void> {
  return withNamedDoors({ authorize, plain: true, path: { exact: "/ws" }, ...options }, body);
}

/** Both kinds of request by one door. */
const KINDS = ["tunnel", "request"] as const;
const CELLS = DOOR_IDS.flatMap((door) => KINDS.map((kind) => ({ door, kind })));

function asking({ peers }: NamedDoors, { door, kind }: typeof CELLS[number], asked = {}) {
  const all = { path: "/ws?token=x", ...asked };
  return kind === "tunnel" ? peers.open(door, all) : peers.ask(door, all);
}

for (const cell of CELLS) {
  Deno.test(`authorize, ${cell.kind} over ${cell.door}: false is 403, and no backend is asked`, async () => {
    const asked: [string, boolean, string, string | null][] = [];
    const authorize = ({ http, isTunnel, path, headers }: AuthorizeRequest) => {
      asked.push([http, isTunnel, path, headers.get("cookie")]);
      return false;
    };
    await withAuthorize(authorize, async (doors) => {
      const answer = await asking(doors, cell, { fields: [["cookie", "a=b"]] });
      assert.deepEqual([answer.status, answer.body], [403, "forbidden\n"]);
      const http = { h1: "1.1", h1s: "1.1", h2c: "2", h2: "2", h3: "3" }[cell.door];
      assert.deepEqual(asked, [[http, cell.kind === "tunnel", "/ws?token=x", "a=b"]]);
      assert.equal(doors.main.connections, 0);
      const { rejections, requests } = doors.t.seen;
      if (cell.kind === "tunnel") {
        assert.deepEqual(rejections, [{ reason: "authorize", status: 403, path: "/ws" }]);
      } else {
        assert.deepEqual(requests.map(({ status, backend }) => [status, backend]), [[403, null]]);
      }
    });
  });

  Deno.test(`authorize, ${cell.kind} over ${cell.door}: its own answer, whole`, async () => {
    const answerWith = () =>
      Promise.resolve({
        status: 401,
        headers: { "www-authenticate": "Bearer", "content-type": "application/json" },
        body: '{"why":"ü"}',
      });
    await withAuthorize(answerWith, async (doors) => {
      const answer = await asking(doors, cell);
      assert.equal(answer.status, 401);
      assert.equal(answer.get("www-authenticate"), "Bearer");
      assert.equal(answer.get("content-type"), "application/json");
      assert.equal(answer.body, '{"why":"\xc3\xbc"}');
      assert.equal(doors.main.connections, 0);
    });
  });

  Deno.test(`authorize, ${cell.kind} over ${cell.door}: fields and path for the backend`, async () => {
    const headers = { "X-User": "ada", "x-other": undefined, "x-new": "n" };
    const change = () => ({ headers, path: "/inner?u=1" });
    await withAuthorize(change, async (doors) => {
      // Nothing that the client says stands beside them, nor takes them away.
      const fields = [["x-user", "root"], ["x_user", "root"], ["x-other", "1"], ["x-more", "m"]];
      const named = cell.door.startsWith("h1") && cell.kind === "request";
      if (named) fields.push(["connection", "x-user"]);
      const answer = await asking(doors, cell, { fields });
      if (cell.kind === "tunnel") {
        assert.ok(isOpen(answer));
        assert.equal(await say(answer as Parameters<typeof say>[0], "hi"), "main hi");
      } else {
        assert.equal(answer.status, 200);
      }
      const [seen] = doors.main.requests;
      assert.equal(seen.url, "/inner?u=1");
      const own = seen.fields.filter(([name]) => /^x.(?:user|other|new|more)$/.test(name));
      assert.deepEqual(own.sort(), [["x-more", "m"], ["x-new", "n"], ["x-user", "ada"]]);
    });
  });

  Deno.test(`authorize, ${cell.kind} over ${cell.door}: a throw is 500 and told once`, async () => {
    const fail = () => Promise.reject(new Error("database is down"));
    await withAuthorize(fail, async (doors) => {
      const answer = await asking(doors, cell);
      assert.deepEqual([answer.status, answer.body], [500, "internal error\n"]);
      assert.equal(doors.main.connections, 0);
      const { bugs, rejections, requests, failures } = doors.t.seen;
      assert.equal(bugs.length, 1);
      assert.match(bugs.splice(0)[0], /^authorize: Error: database is down\n +at /);
      assert.deepEqual([rejections, failures], [[], []]);
      // It is counted, but has its line.
      const want = cell.kind === "tunnel" ? [] : [[500, true]];
      assert.deepEqual(requests.map(({ status, failed }) => [status, failed]), want);
    });
  });
}

Deno.test("authorize: what takes too long is 504, and is aborted", async () => {
  const reasons: string[] = [];
  const never = ({ signal }: AuthorizeRequest) =>
    new Promise<boolean>((_, reject) => {
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason.message);
        reject(signal.reason);
      });
    });
  await withAuthorize(never, async (doors) => {
    for (const kind of KINDS) {
      const answer = await asking(doors, { door: "h2", kind });
      assert.deepEqual([answer.status, answer.body], [504, "authorization too slow\n"]);
    }
    const message = "authorize took longer than 50 ms";
    assert.deepEqual(reasons, [message, message]);
    const { failures } = doors.t.seen;
    assert.deepEqual(failures, KINDS.map(() => ({ stage: "authorize", message })));
    assert.equal(doors.main.connections, 0);
  }, { authorizeTimeoutMs: 50 });
});

for (const door of ["h1s", "h2", "h3"] as const) {
  for (const kind of KINDS) {
    Deno.test(`authorize, ${kind} over ${door}: a client that leaves aborts it`, async () => {
      const asked = Promise.withResolvers<AuthorizeRequest>();
      const never = (request: AuthorizeRequest) => {
        asked.resolve(request);
        return new Promise<boolean>(() => {});
      };
      await withAuthorize(never, async (doors) => {
        const answered = asking(doors, { door, kind }).then(() => {}, () => {});
        const { signal } = await within("the question", asked.promise);
        assert.equal(signal.aborted, false);
        await doors.peers.close();
        await until("its abort", () => signal.aborted);
        assert.match(signal.reason.message, /client is gone/);
        await answered;
        assert.equal(doors.main.connections, 0);
        const { requests, rejections } = doors.t.seen;
        assert.deepEqual(rejections, []);
        if (kind === "tunnel") return;
        await until("its record", () => requests.length === 1);
        assert.deepEqual([requests[0].status, requests[0].broken], [0, "client: is gone"]);
      });
    });
  }
}

const SLIPS: Record<string, { said: unknown; message: RegExp }> = {
  "nothing": { said: undefined, message: /gave undefined, not true, false or an object/ },
  "a text": { said: "yes", message: /gave "yes", not true/ },
  "2xx for a tunnel": { said: { status: 200 }, message: /status 200: it takes 300 to 599/ },
  "no status": { said: { status: NaN }, message: /status NaN: it takes 300/ },
  "a path that is none": { said: { path: "inner" }, message: /path "inner", which can't be sent/ },
  "a path with a line feed": { said: { path: "/a\nb" }, message: /path "\/a\\nb", which can't/ },
  "a field of two lines": { said: { headers: { a: "b\r\nc: d" } }, message: /TypeError/ },
  "a field of the framing": {
    said: { headers: { "Transfer-Encoding": "chunked" } },
    message: /the field transfer-encoding, which is ours/,
  },
  "a field of the handshake": {
    said: { headers: { "Sec-WebSocket-Key": "x" } },
    message: /the field sec-websocket-key, which is ours/,
  },
  "another host": { said: { headers: { host: "a.example" } }, message: /the field host, which/ },
};

for (const [name, { said, message }] of Object.entries(SLIPS)) {
  Deno.test(`authorize: ${name} lets nobody through`, async () => {
    await withAuthorize(() => said as Authorization, async (doors) => {
      const answer = await asking(doors, { door: "h1", kind: "tunnel" });
      assert.equal(answer.status, 500);
      assert.match(doors.t.seen.bugs.splice(0).join(), message);
      assert.equal(doors.main.connections, 0);
    });
  });
}

Deno.test("authorize: an ordinary request can be answered here, with bytes as with text", async () => {
  const bodies: Record<string, string | Uint8Array | undefined> = {
    "/text": "hello",
    "/bytes": new Uint8Array([1, 2, 255]),
    "/none": undefined,
  };
  const answerHere = ({ path }: AuthorizeRequest) => ({ status: 200, body: bodies[path] });
  await withAuthorize(answerHere, async ({ peers, main }) => {
    const seen = [];
    for (const path of Object.keys(bodies)) {
      const { status, body, get } = await peers.ask("h3", { path });
      seen.push([status, body, get("content-type")]);
    }
    const text = "text/plain; charset=utf-8";
    assert.deepEqual(seen, [
      [200, "hello", text],
      [200, "\x01\x02\xff", null],
      [200, "refused by authorize\n", text],
    ]);
    assert.equal((await peers.ask("h1", { method: "HEAD", path: "/text" })).status, 200);
    assert.equal(main.connections, 0);
  }, { path: { regexp: /^/ } });
});

Deno.test("authorize: true passes content on as it came, and health checks are not asked about", async () => {
  let asked = 0;
  const yes = () => {
    asked++;
    return true;
  };
  await withAuthorize(yes, async ({ peers, main }) => {
    for (const door of DOOR_IDS) {
      const answer = await peers.ask(door, { method: "POST", path: "/ws", body: "content" });
      assert.equal(JSON.parse(answer.body).body, "content");
      assert.equal((await peers.ask(door, { path: "/healthz" })).status, 200);
      assert.equal((await peers.ask(door, { path: "/elsewhere" })).status, 404);
    }
    assert.equal(asked, DOOR_IDS.length);
    assert.equal(main.requests.length, DOOR_IDS.length);
  });
});

Deno.test("http2: false: over TLS it is not chosen, in clear text it is 505", async () => {
  await withAuthorize(() => true, async ({ t, peers }) => {
    const doors: DoorId[] = ["h1", "h1s", "h3"];
    for (const door of doors) assert.equal((await peers.ask(door, { path: "/ws" })).status, 200);
    assert.equal((await peers.ask("h2c", { path: "/ws" })).status, 505);
    assert.equal((await peers.open("h2c", { path: "/ws" })).status, 505);
    await assert.rejects(peers.ask("h2", { path: "/ws" }));
    assert.deepEqual(t.seen.rejections, [{ reason: "protocol", status: 505, path: "/ws" }]);
  }, { http2: false });
});
