// How a server begins and ends.
import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { ListenError } from "../../src/ingress/listen.ts";
import { NetError } from "../../src/net/error.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import type { ServeOptions } from "../../src/server/options.ts";
import { serve, type ServerAddress } from "../../src/server/server.ts";
import { DOOR_IDS, DoorPeers, isOpen, say, TLS_DOOR_IDS } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { collected } from "../support/collected.ts";
import { testCertificates } from "../support/proxy.ts";
import { RawClient } from "../support/raw_h3.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, withServer } from "./support.ts";

const LOCAL = { listen: "127.0.0.1:0", plainListen: "127.0.0.1:0" } as const;

Deno.test("lifecycle: shutdown: Close 1001 to every socket, what is asked for is answered, then the ports are free", async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  const fetch = () => {
    asked.resolve();
    return answer.promise;
  };
  await withServer({ fetch }, echo, async ({ server, peers, port, plainPort, ends }) => {
    const tunnels = await Promise.all(DOOR_IDS.map((door) => peers.open(door)));
    const response = peers.ask("h1s");
    await within("the request", asked.promise);
    const down = server.shutdown(20_000);
    for (const tunnel of tunnels) {
      const close = readClose(await tunnel.inbox.frame());
      assert.deepEqual(close, { code: CloseCode.GOING_AWAY, reason: "server is shutting down" });
      tunnel.send(fromClient.close(CloseCode.GOING_AWAY));
      tunnel.fin();
    }
    answer.resolve(new Response("late, but whole"));
    assert.equal((await response).body, "late, but whole");
    await within("the end", down);
    await server.finished;
    assert.deepEqual(ends, DOOR_IDS.map(() => ["us", CloseCode.GOING_AWAY]));
    // Both of TCP at once; that of UDP is let go with the garbage.
    for (const one of [port, plainPort]) Deno.listen({ hostname: "127.0.0.1", port: one }).close();
    await peers.close();
    await collected();
    await until("the UDP port", () => {
      try {
        new Deno.QuicEndpoint({ hostname: "127.0.0.1", port }).close();
        return true;
      } catch {
        return false;
      }
    });
  });
});

Deno.test("lifecycle: a port that was named is free behind stop and shutdown, by UDP too", async () => {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  probe.close();
  const options = { listen: `127.0.0.1:${port}`, plainListen: null };
  for (const end of ["stop", "shutdown"] as const) {
    await withServer(options, echo, async ({ server, peers }) => {
      assert.equal(server.port, port);
      for (const door of TLS_DOOR_IDS) {
        assert.equal(await say(await peers.open(door), "hi"), "hi");
      }
      await server[end](10);
      Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port }).close();
      Deno.listen({ hostname: "127.0.0.1", port }).close();
    });
  }
});

Deno.test("lifecycle: shutdown: whoever does not go in time is cut off, and stop cuts a shutdown short", async () => {
  for (const hurry of [false, true]) {
    await withServer({}, echo, async ({ server, peers }) => {
      const tunnel = await peers.open("h2");
      const down = server.shutdown(hurry ? 60_000 : 50);
      if (hurry) await server.stop();
      await within("the end", down);
      await within("the client's end", tunnel.inbox.rest());
      assert.equal(server.sockets.size, 0);
    });
  }
});

Deno.test("lifecycle: shutdown: a new request is refused, a handler that still thinks gets a socket that closes", async () => {
  const asked = Promise.withResolvers<void>();
  const thought = Promise.withResolvers<void>();
  await withServer({}, async (request) => {
    if (request.path === "/thinks") {
      asked.resolve();
      await thought.promise;
    }
    await echo(request);
  }, async ({ server, peers, rejections }) => {
    // HTTP/1.1: over the others a connection that drains takes no new requests.
    const client = await peers.h1("h1s");
    client.send("GET /");
    await peers.open("h2");
    const opening = peers.open("h3", { path: "/thinks" });
    await within("the handler", asked.promise);
    const down = server.shutdown(20_000);
    client.send(
      " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await client.has("shutting down\n");
    assert.match(client.got, /^HTTP\/1\.1 503 .*\r\nretry-after: 5\r\n/is);
    assert.deepEqual(rejections, [["draining", 503]]);
    thought.resolve();
    const late = await opening;
    assert.ok(isOpen(late));
    assert.equal(readClose(await late.inbox.frame()).code, CloseCode.GOING_AWAY);
    await server.stop();
    await down;
  });
});

Deno.test("lifecycle: stop and the signal end everything at once; both may come again", async () => {
  for (const by of ["stop", "signal"]) {
    const controller = new AbortController();
    await withServer({ signal: controller.signal }, echo, async ({ server, peers }) => {
      const tunnels = await Promise.all(DOOR_IDS.map((door) => peers.open(door)));
      if (by === "stop") void server.stop();
      else controller.abort();
      await within("the end", server.finished);
      await Promise.all(tunnels.map((tunnel) => within("a client's end", tunnel.inbox.rest())));
      assert.equal(server.connections, 0);
      controller.abort();
      await server.stop();
      await server.shutdown();
    });
  }
});

Deno.test("lifecycle: stop does not wait for handlers that never answer; they are told", async () => {
  for (const door of DOOR_IDS) {
    const asked = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    await withServer({}, async (request) => {
      request.signal.addEventListener("abort", () => told.resolve());
      asked.resolve();
      await new Promise(() => {});
    }, async ({ server, peers }) => {
      const opening = peers.open(door).catch(() => {});
      await within("the handler", asked.promise);
      await within("the end", server.stop());
      await within("the signal", told.promise);
      await peers.close();
      await opening;
    });
  }
});

Deno.test("lifecycle: what onListen throws is told, and nothing listens", async () => {
  let port = 0;
  const onListen = (addresses: readonly ServerAddress[]) => {
    port = addresses[0].port;
    throw new Error("of onListen");
  };
  await assert.rejects(serve({ plainListen: "127.0.0.1:0", onListen }, echo), /of onListen/);
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});

Deno.test("lifecycle: a signal that has fired already: nothing listens", async () => {
  const signal = AbortSignal.abort(new Error("too late"));
  await assert.rejects(serve({ ...LOCAL, ...await pair(), signal }, echo), /too late/);
});

Deno.test("lifecycle: await using shuts it down", async () => {
  let finished: Promise<void>;
  let socket: Socket;
  {
    await using server = await serve({ plainListen: "127.0.0.1:0" }, echo);
    finished = server.finished;
    socket = await connectWebSocket(`ws://127.0.0.1:${server.plainPort}/`);
  }
  await within("the end", finished);
  assert.equal((await socket.closed).code, CloseCode.GOING_AWAY);
});

Deno.test("lifecycle: a port that is taken is a ListenError, and nothing is left", async () => {
  using tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = tcp.addr;
  const options: Record<string, ServeOptions> = {
    "TCP beside UDP": { listen: `127.0.0.1:${port}` },
    "clear text": { listen: "127.0.0.1:0", plainListen: `127.0.0.1:${port}` },
  };
  for (const [name, given] of Object.entries(options)) {
    await assert.rejects(serve({ ...await pair(), ...given }, echo), (error) => {
      assert.ok(error instanceof ListenError, name);
      assert.deepEqual([error.transport, error.kind], ["TCP", "in_use"]);
      assert.equal(error.address.port, port);
      return true;
    });
  }
  const bad = serve({ ...LOCAL, certPem: "no PEM", keyPem: "none" }, echo);
  await assert.rejects(bad, { name: "ListenError", transport: "UDP" });
});

Deno.test("lifecycle: two servers side by side know nothing of each other", async () => {
  await withServer({ maxSockets: 1 }, echo, async (one) => {
    await withServer({ maxSockets: 1 }, echo, async (other) => {
      const [first, second] = await Promise.all([one.peers.open("h3"), other.peers.open("h3")]);
      assert.equal(await say(first, "one"), "one");
      assert.equal(await say(second, "other"), "other");
      assert.deepEqual([one.server.sockets.size, other.server.sockets.size], [1, 1]);
      await other.server.stop();
      assert.equal(await say(first, "still here"), "still here");
      assert.deepEqual([one.server.sockets.size, one.ends], [1, []]);
    });
  });
});

Deno.test("lifecycle: onListen and addresses tell where it listens", async () => {
  let told: readonly ServerAddress[] = [];
  const onListen = (addresses: readonly ServerAddress[]) => void (told = addresses);
  await withServer({ onListen }, echo, ({ server, port, plainPort }) => {
    const at = { hostname: "127.0.0.1" };
    assert.deepEqual(told, [
      { transport: "udp", ...at, port, secure: true, versions: ["3"] },
      { transport: "tcp", ...at, port, secure: true, versions: ["2", "1.1"] },
      { transport: "tcp", ...at, port: plainPort, secure: false, versions: ["2", "1.1"] },
    ]);
    assert.deepEqual(server.addresses, told);
    return Promise.resolve();
  });
});

Deno.test("lifecycle: reload: new connections get the new certificate, a bad one changes nothing", async () => {
  await withServer({}, echo, async ({ server, peers, port, plainPort, caPem }) => {
    const other = await makeCertificates({ hosts: ["localhost", "127.0.0.1"], days: 1 });
    assert.throws(() => server.reload("no PEM", "none"), NetError);
    assert.throws(() => server.reload(other.certPem, "none"), NetError);
    const before = await peers.open("h2");
    server.reload(other.certPem, other.keyPem);
    await using fresh = new DoorPeers({ port, plainPort, caPem: other.caPem });
    for (const door of ["h1s", "h2", "h3"] as const) {
      const tunnel = await fresh.open(door);
      assert.equal(await say(tunnel, door), door);
    }
    await assert.rejects(RawClient.connect({ port, caCerts: [caPem] }));
    assert.equal(await say(before, "as before"), "as before");
  });
});

Deno.test("lifecycle: a hundred sockets by each door, opened and closed, leave nothing", async () => {
  await withServer({}, echo, async ({ peers, server, ends }) => {
    for (const door of DOOR_IDS) {
      const tunnels = await Promise.all(Array.from({ length: 100 }, () => peers.open(door)));
      assert.equal(server.sockets.size, 100);
      await Promise.all(tunnels.map(async (tunnel, i) => {
        assert.equal(await say(tunnel, `${i}`), `${i}`);
        tunnel.send(fromClient.close(1000));
        assert.equal(readClose(await tunnel.inbox.frame()).code, 1000);
        tunnel.fin();
      }));
      await until("no socket", () => server.sockets.size === 0);
      await peers.close();
      await until("no connection", () => server.connections === 0);
    }
    assert.equal(ends.length, 500);
  });
});

Deno.test("lifecycle: a thousand handlers at once", async () => {
  await withServer({}, echo, async ({ peers, server }) => {
    const opening = Array.from({ length: 1000 }, (_, i) => peers.open(i % 2 === 0 ? "h2" : "h3"));
    const tunnels = await Promise.all(opening);
    assert.deepEqual([server.sockets.size, server.connections], [1000, 10]);
    const said = await Promise.all(tunnels.map((tunnel, i) => say(tunnel, `${i}`)));
    assert.deepEqual(said, tunnels.map((_, i) => `${i}`));
    await server.stop();
    assert.equal(server.sockets.size, 0);
  });
});

async function pair() {
  const { certPem, keyPem } = await testCertificates();
  return { certPem, keyPem };
}
