// SOCKS5 clients of a gateway: curl, and some that say half of it.
import assert from "node:assert/strict";
import { Users } from "../../src/tunnel/users.ts";
import { until } from "../support/until.ts";
import { curl } from "./curl.ts";
import { Raw, withRawTarget } from "./raw.ts";
import { LOOPBACK, withTunnel } from "./support.ts";

const bob = () => new Users([{ name: "bob", password: "pass" }]);

Deno.test("socks front: --proxy-user right, wrong and none", async () => {
  const socks = { listen: LOOPBACK, users: bob() };
  await withTunnel({ gateway: { socks } }, async ({ gateway, told }) => {
    await withRawTarget(async ({ port, accept }) => {
      const at = ["--socks5-hostname", `127.0.0.1:${gateway.socksPort}`];
      const url = `http://localhost:${port}/`;
      const [right] = await Promise.all([
        curl(...at, "--proxy-user", "bob:pass", url),
        accept().then(async (target) => {
          await target.until("\r\n\r\n");
          await target.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
          target.close();
        }),
      ]);
      assert.deepEqual(right, { code: 0, stdout: "hi", stderr: "" });
      const wrong = await curl(...at, "--proxy-user", "bob:no", url);
      assert.equal(wrong.code, 97);
      assert.match(wrong.stderr, /rejected by the SOCKS5 server/);
      const none = await curl(...at, url);
      assert.equal(none.code, 97);
      assert.deepEqual(told.lines.filter((line) => line.startsWith("auth")), [
        "auth socks5 bob: the username or the password is wrong",
      ]);
      await until("the end", () => gateway.gateway.connections === 0);
    });
  });
});

/** Greeting, user and password, and a CONNECT to a name. */
function wholeRequest(port: number): Uint8Array {
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  return Uint8Array.of(
    ...[5, 2, 0, 2],
    ...[1, ...text("bob"), ...text("pass")],
    ...[5, 1, 0, 3, ...text("localhost"), port >> 8, port & 0xff],
  );
}

Deno.test("socks front: a client that is cut off at any byte opens nothing and leaves nothing", async () => {
  const socks = { listen: LOOPBACK, users: bob() };
  await withTunnel({ gateway: { socks } }, async ({ gateway, told }) => {
    await withRawTarget(async ({ port, accept }) => {
      const whole = wholeRequest(port);
      for (let size = 0; size < whole.length; size++) {
        using client = await Raw.connect(gateway.socksPort!);
        await client.send(whole.subarray(0, size));
        await client.conn.closeWrite();
        // What is answered up to there, and then its end: neither waits for the other.
        await client.rest();
      }
      assert.deepEqual(told.lines.filter((line) => /^(open|refused|auth)/.test(line)), []);
      using client = await Raw.connect(gateway.socksPort!);
      // In two parts at every byte, and one after the other.
      for (const byte of whole) await client.send(Uint8Array.of(byte));
      await client.send("early");
      assert.deepEqual(await client.bytes(14), Uint8Array.of(5, 2, 1, 0, 5, 0, 0, 1, ...zeros(6)));
      assert.equal(await (await accept()).until("early"), "early");
    });
  });
});

const zeros = (count: number) => new Array<number>(count).fill(0);

for (
  const { name, bytes, want } of [
    { name: "BIND is X'07'", bytes: [5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80], want: 7 },
    {
      name: "an unknown command is X'07'",
      bytes: [5, 1, 0, 5, 9, 0, 1, 127, 0, 0, 1, 0, 80],
      want: 7,
    },
    { name: "an unknown type of address is X'08'", bytes: [5, 1, 0, 5, 1, 0, 9], want: 8 },
  ]
) {
  Deno.test(`socks front: ${name}, and no reset takes that away`, async () => {
    await withTunnel({ transports: ["ws"] }, async ({ gateway }) => {
      using client = await Raw.connect(gateway.socksPort!);
      await client.send(Uint8Array.from(bytes));
      assert.deepEqual(await client.bytes(12), Uint8Array.of(5, 0, 5, want, 0, 1, ...zeros(6)));
      assert.deepEqual(await client.end(), "fin");
      // What a client still sends to its target makes it no reset.
      await client.send(new Uint8Array(4 << 20));
      client.close();
      await until("nothing is left", () => gateway.clients === 0);
    });
  });
}

Deno.test("socks front: SOCKS4 is let go without a word", async () => {
  await withTunnel({ transports: ["ws"] }, async ({ gateway }) => {
    using client = await Raw.connect(gateway.socksPort!);
    await client.send(Uint8Array.of(4, 1, 0, 80, 127, 0, 0, 1, 0));
    assert.equal(await client.rest(), "");
  });
});

Deno.test("socks front: who is slow is let go, with 1,000 others; who is not, is served", async () => {
  const gateway = { handshakeTimeoutMs: 1_500 };
  await withTunnel({ gateway, transports: ["ws"] }, async ({ gateway }) => {
    const slow = await Promise.all(Array.from({ length: 1_000 }, async (_, i) => {
      const raw = await Raw.connect(gateway.socksPort!);
      await raw.send(Uint8Array.of(5, 1, 0, 5, 1, 0).subarray(0, i % 7));
      return raw;
    }));
    await withRawTarget(async ({ port, accept }) => {
      using client = await Raw.connect(gateway.socksPort!);
      await client.send(Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff));
      await client.bytes(12);
      await client.send("hi");
      assert.equal(await (await accept()).until("hi"), "hi");
    });
    await Promise.all(slow.map((raw) => raw.rest()));
    for (const raw of slow) raw.close();
    await until("nothing is left", () => gateway.clients === 0);
  });
});
