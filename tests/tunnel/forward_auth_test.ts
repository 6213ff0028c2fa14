// Another server says who may come in: what it is asked, what its answers mean, and for how long.
import assert from "node:assert/strict";
import { forwardAuth } from "../../src/tunnel/forward_auth.ts";
import { type Credentials, Users } from "../../src/tunnel/users.ts";
import { Tries } from "../../src/tunnel/tries.ts";
import { until } from "../support/until.ts";
import { socksConnect } from "./socks_client.ts";
import { withTunnel } from "./support.ts";

/** A request as it came. */
interface Asked {
  ask: string;
  headers: Headers;
}

type Answer = (request: Request) => Response | Promise<Response>;

async function withServer(
  answer: Answer,
  body: (at: { url: URL; asked: Asked[] }) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { method, url, headers } = request;
    asked.push({ ask: method + new URL(url).search, headers: new Headers(headers) });
    return answer(request);
  });
  try {
    await body({ url: new URL(`http://127.0.0.1:${server.addr.port}/auth?secret=1`), asked });
  } finally {
    await server.shutdown();
  }
}

const ANN: Credentials = { username: "ann", password: "päss:word", ip: "192.0.2.7", role: "agent" };
const BASIC = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode("ann:päss:word")))}`;

Deno.test("forward-auth: Authorization and X-Forwarded-* say who asks", async () => {
  await withServer(() => new Response(null, { status: 204 }), async ({ url, asked }) => {
    const ask = forwardAuth({ url });
    assert.deepEqual(await ask(ANN), { name: "ann" });
    const token = { ...ANN, username: "", password: "", role: "client", token: "t-1" } as const;
    await assert.rejects(ask(token), /did not say whose token/);
    const certificate = { ...token, token: undefined, certificate: "CN=a" };
    assert.deepEqual(await ask(certificate), { name: "CN=a" });
    const heads = asked.map(({ ask, headers }) => [
      ask,
      headers.get("authorization"),
      headers.get("x-forwarded-for"),
      headers.get("x-forwarded-method") + " " + headers.get("x-forwarded-uri"),
      headers.get("x-forwarded-client-cert-subject"),
    ]);
    assert.deepEqual(heads, [
      ["GET?secret=1", BASIC, "192.0.2.7", "CONNECT /agent", null],
      ["GET?secret=1", "Bearer t-1", "192.0.2.7", "CONNECT /client", null],
      ["GET?secret=1", null, "192.0.2.7", "CONNECT /client", "CN=a"],
    ]);
  });
});

Deno.test("forward-auth: JSON names the user, its groups and its end", async () => {
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  for (const expires_at of [inAnHour, new Date(inAnHour * 1000).toISOString()]) {
    const json = () => Response.json({ user: "bob", groups: ["a", "b"], expires_at, more: 1 });
    await withServer(json, async ({ url }) => {
      const user = await forwardAuth({ url })({ ...ANN, username: "", token: "t-1" });
      assert.deepEqual(user, { name: "bob", groups: ["a", "b"], expiresAtMs: inAnHour * 1000 });
    });
  }
});

const UNSURE: [name: string, answer: Answer, why: RegExp][] = [
  ["a 500", () => new Response("oops", { status: 500 }), /it answered 500$/],
  ["a redirect to a login page", () => Response.redirect("http://a.example/"), /it answered 302$/],
  ["too many requests", () => new Response(null, { status: 429 }), /it answered 429$/],
  ["JSON that is none", () => new Response("{"), /JSON/],
  ["a wrong value", () => Response.json({ groups: "a" }), /it answered a wrong groups$/],
  ["a wrong time", () => Response.json({ expires_at: "soon" }), /it answered a wrong expires_at/],
  ["a body without end", () => new Response("x".repeat(70_000)), /more than 65536 bytes$/],
  [
    "no answer",
    () => new Promise((resolve) => setTimeout(() => resolve(new Response()), 300)),
    /no answer within 100 ms$/,
  ],
];

for (const [name, answer, why] of UNSURE) {
  Deno.test(`forward-auth: ${name} lets nobody in, and is no failure of who asked`, async () => {
    await withServer(answer, async ({ url }) => {
      const tries = new Tries({ free: 0 });
      const users = new Users([], { authenticate: forwardAuth({ url, timeoutMs: 100 }), tries });
      for (let i = 0; i < 2; i++) {
        const verdict = await users.verify(ANN);
        assert.equal(verdict.kind, "unknown");
        assert.match(verdict.kind === "unknown" ? verdict.reason : "", why);
        // What is behind the path may be a secret.
        assert.ok(!JSON.stringify(verdict).includes("secret"));
      }
    });
  });
}

Deno.test("forward-auth: a server that is not there is told by why it can't be asked", async () => {
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = new URL(`http://127.0.0.1:${gone.addr.port}/auth?secret=client%20error%20(1):`);
  gone.close();
  await assert.rejects(forwardAuth({ url })(ANN), {
    message: `${url.origin}/auth: Connection refused`,
  });
});

Deno.test("forward-auth: a 401 is a failure, which delays the next try", async () => {
  await withServer(() => new Response(null, { status: 401 }), async ({ url, asked }) => {
    const users = new Users([], {
      authenticate: forwardAuth({ url }),
      tries: new Tries({ free: 0 }),
    });
    assert.equal((await users.verify(ANN)).kind, "wrong");
    assert.equal((await users.verify(ANN)).kind, "later");
    assert.equal(asked.length, 1);
  });
});

Deno.test("forward-auth: a yes is known for a while, to whoever comes meanwhile too, a no is not", async () => {
  let status = 200;
  await withServer(() => new Response(null, { status }), async ({ url, asked }) => {
    const ask = forwardAuth({ url, cacheMs: 60_000 });
    await Promise.all([ask(ANN), ask(ANN), ask(ANN)]);
    await ask(ANN);
    assert.equal(asked.length, 1);
    status = 403;
    const other = { ...ANN, password: "other" };
    assert.deepEqual([await ask(other), await ask(other)], [null, null]);
    assert.equal(asked.length, 3);
    const always = forwardAuth({ url, cacheMs: 0 });
    await Promise.all([await always(other), await always(other)]);
    assert.equal(asked.length, 5);
  });
});

Deno.test("forward-auth: agents and clients are let in by it, and go when their time is up", async () => {
  const expires_at = Date.now() / 1000 + 2;
  const answer = (request: Request) => {
    if (request.headers.get("authorization") === null) return new Response(null, { status: 401 });
    const isAgent = request.headers.get("x-forwarded-uri") === "/agent";
    return Response.json({ groups: ["lab"], ...(isAgent ? {} : { expires_at }) });
  };
  await withServer(answer, async ({ url }) => {
    const users = new Users([], { authenticate: forwardAuth({ url }) });
    const listen = { hostname: "127.0.0.1", port: 0 };
    await withTunnel({ gateway: { agents: users, socks: { listen, users } } }, async (tunnel) => {
      assert.equal(tunnel.gateway.gateway.agents.list()[0].group, "lab");
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const accepted = listener.accept();
      const client = await socksConnect(
        { port: tunnel.gateway.socksPort!, username: "ann", password: "x" },
        "127.0.0.1",
        port,
      );
      const target = await accepted;
      await until("its end", () => tunnel.gateway.gateway.connections === 0);
      assert.match(tunnel.told.lines.join("\n"), /^closed us: its time is up/m);
      assert.equal(tunnel.gateway.gateway.agents.list().length, 1);
      await client.ended;
      target.close();
    });
  });
});
