// The HTTP proxy of a gateway, asked by curl.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Users } from "../../src/tunnel/users.ts";
import { testCertificates } from "../support/proxy.ts";
import { until } from "../support/until.ts";
import { curl } from "./curl.ts";
import { LOOPBACK, type TestTunnel, withTunnel } from "./support.ts";

interface Target {
  readonly port: number;
  readonly seen: { url: string; headers: Headers }[];
}

async function withTarget(
  run: (target: Target) => Promise<void>,
  tls: { cert: string; key: string } | object = {},
): Promise<void> {
  const seen: Target["seen"] = [];
  const answer = async (request: Request) => {
    // Those of a request that is over can't be read any more.
    seen.push({ url: request.url, headers: new Headers([...request.headers]) });
    const { pathname } = new URL(request.url);
    if (request.method === "POST") {
      const hash = createHash("sha256");
      for await (const chunk of request.body!) hash.update(chunk);
      return new Response(hash.digest("hex"));
    }
    return new Response(`hello ${pathname}\n`);
  };
  const server = Deno.serve({ ...LOOPBACK, ...tls, onListen: () => {} }, answer);
  try {
    await run({ port: server.addr.port, seen });
  } finally {
    await server.shutdown();
  }
}

const proxy = ({ gateway }: TestTunnel) => ["-x", `http://127.0.0.1:${gateway.httpPort}`];

for (const [name, transports] of [["quic", ["quic"]], ["ws", ["ws"]]] as const) {
  Deno.test(`http front by ${name}: curl -x gets http, and nothing of the proxy goes on`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(async ({ port, seen }) => {
        const run = await curl(...proxy(tunnel), `http://localhost:${port}/a?b`);
        assert.deepEqual(run, { code: 0, stdout: "hello /a\n", stderr: "" });
        const [{ headers, url }] = seen;
        assert.equal(url, `http://localhost:${port}/a?b`);
        assert.equal(headers.get("host"), `localhost:${port}`);
        assert.equal(headers.get("via"), "1.1 h3ws");
        for (const name of ["proxy-connection", "proxy-authorization", "x-forwarded-for"]) {
          assert.equal(headers.get(name), null, name);
        }
        await until("the end", () => tunnel.gateway.gateway.connections === 0);
        assert.match(tunnel.told.lines.join("\n"), /^open localhost:\d+ one$/m);
      });
    });
  });

  Deno.test(`http front by ${name}: curl -x gets https by CONNECT`, async () => {
    const { certPem, keyPem, caPem } = await testCertificates();
    const ca = await Deno.makeTempFile();
    await Deno.writeTextFile(ca, caPem);
    try {
      await withTunnel({ transports }, async (tunnel) => {
        await withTarget(async ({ port }) => {
          const url = `https://localhost:${port}/s`;
          const run = await curl(...proxy(tunnel), "--cacert", ca, url, url);
          assert.deepEqual(run, { code: 0, stdout: "hello /s\nhello /s\n", stderr: "" });
          await until("the end", () => tunnel.gateway.gateway.connections === 0);
          assert.equal(tunnel.told.lines.filter((line) => line.startsWith("open")).length, 1);
        }, { cert: certPem, key: keyPem });
      });
    } finally {
      await Deno.remove(ca);
    }
  });

  Deno.test(`http front by ${name}: one connection of the client for one target and the next`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget((one) =>
        withTarget(async (two) => {
          const urls = [one, one, two, two, one].map(({ port }, i) =>
            `http://localhost:${port}/${i}`
          );
          const format = ["-w", "%{num_connects} "];
          const run = await curl(...proxy(tunnel), ...format, ...urls);
          assert.equal(
            run.stdout,
            "hello /0\n1 hello /1\n0 hello /2\n0 hello /3\n0 hello /4\n0 ",
          );
          await until("the end", () => tunnel.gateway.gateway.connections === 0);
          // A target's connection serves until the next target.
          assert.equal(tunnel.told.lines.filter((line) => line.startsWith("open")).length, 3);
        })
      );
    });
  });

  Deno.test(`http front by ${name}: 8 MiB go up, with a length and in chunks`, async () => {
    await withTunnel({ transports }, async (tunnel) => {
      await withTarget(async ({ port }) => {
        const bytes = new Uint8Array(8 << 20).fill(7);
        const want = createHash("sha256").update(bytes).digest("hex");
        const file = await Deno.makeTempFile();
        try {
          await Deno.writeFile(file, bytes);
          const url = `http://localhost:${port}/up`;
          for (const more of [[], ["-H", "transfer-encoding: chunked"]]) {
            const run = await curl(...proxy(tunnel), ...more, "--data-binary", `@${file}`, url);
            assert.deepEqual(run, { code: 0, stdout: want, stderr: "" });
          }
        } finally {
          await Deno.remove(file);
        }
      });
    });
  });
}

Deno.test("http front: --proxy-user right, wrong, and none", async () => {
  const users = new Users([{ name: "bob", password: "pä:ss" }]);
  const gateway = { http: { listen: LOOPBACK, users } };
  await withTunnel({ gateway }, async (tunnel) => {
    await withTarget(async ({ port, seen }) => {
      const url = `http://localhost:${port}/`;
      const format = ["-w", "%{http_code}"];
      const right = await curl(...proxy(tunnel), "--proxy-user", "bob:pä:ss", ...format, url);
      assert.equal(right.stdout, "hello /\n200");
      assert.equal(seen[0].headers.get("proxy-authorization"), null);
      const wrong = await curl(...proxy(tunnel), "--proxy-user", "bob:no", ...format, url);
      assert.equal(wrong.stdout, "407");
      const none = await curl(...proxy(tunnel), "-i", url);
      assert.match(none.stdout, /^HTTP\/1.1 407 .*\r\nproxy-authenticate: Basic realm=/im);
      const connect = await curl(...proxy(tunnel), "-p", url);
      assert.equal(connect.code, 56);
      assert.match(connect.stderr, /407/);
      const tunnelled = await curl(...proxy(tunnel), "-p", "--proxy-user", "bob:pä:ss", url);
      assert.equal(tunnelled.stdout, "hello /\n");
      assert.equal(seen.length, 2);
      assert.deepEqual(tunnel.told.lines.filter((line) => line.startsWith("auth")), [
        "auth http bob: the username or the password is wrong",
      ]);
    });
  });
});

Deno.test("http front: a group that is not his is no wrong password, nor is that nobody can say", async () => {
  const authenticate = ({ password }: { password: string }) => {
    if (password === "down") return Promise.reject(new Error("http://auth.internal/: refused"));
    return Promise.resolve({ name: "ann", groups: ["default"] });
  };
  const users = new Users([], { authenticate });
  const gateway = { http: { listen: LOOPBACK, users } };
  await withTunnel({ gateway }, async (tunnel) => {
    await withTarget(async ({ port }) => {
      const ask = (user: string) => {
        const url = `http://localhost:${port}/`;
        return curl(...proxy(tunnel), "--proxy-user", user, "-w", "%{http_code}", url);
      };
      assert.equal((await ask("ann:secret")).stdout, "hello /\n200");
      assert.equal((await ask("ann@default:secret")).stdout, "hello /\n200");
      const work = "group work is not one of this user's";
      assert.equal((await ask("ann@work:secret")).stdout, `${work}\n403`);
      assert.equal((await ask("ann:down")).stdout, "nobody can say now\n503");
      assert.deepEqual(tunnel.told.lines.filter((line) => line.startsWith("auth")), [
        `auth http ann: ${work}`,
        "auth http ann: nobody can say now: http://auth.internal/: refused",
      ]);
    });
  });
});

Deno.test("http front: 403, 502 and 504 say why there is no connection", async () => {
  const gateway = { connectTimeoutMs: 300 };
  await withTunnel({ gateway, allowed: ["127.0.0.1", "192.0.2.1"] }, async (tunnel) => {
    const closed = Deno.listen(LOOPBACK);
    const { port } = closed.addr;
    closed.close();
    const rows = [
      { host: "127.0.0.2", status: "403", text: /may not connect to 127\.0\.0\.2/ },
      { host: "127.0.0.1", status: "502", text: /refused/ },
      // RFC 5737: nobody's.
      { host: "192.0.2.1", status: "50[24]", text: /./ },
    ];
    for (const { host, status, text } of rows) {
      const url = `http://${host}:${port}/`;
      const plain = await curl(...proxy(tunnel), "-w", "%{http_code}", url);
      assert.match(plain.stdout, new RegExp(`${status}$`), host);
      assert.match(plain.stdout, text, host);
      const connect = await curl(...proxy(tunnel), "-p", "-w", "%{http_connect}", url);
      assert.match(connect.stdout, new RegExp(`^${status}$`), host);
    }
    assert.equal(tunnel.gateway.gateway.connections, 0);
  });
});
