// How tunnels over HTTP/1.1 end.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { until } from "../support/until.ts";
import { acceptEcho, bytes, Door, pause, switched, upgrade } from "./h1_support.ts";

Deno.test("h1 tunnel: RST while it is offered, and while it is open", async () => {
  const gone = Promise.withResolvers<void>();
  await using offered = new Door(async (offer) => {
    offer.onGone(gone.resolve);
    await gone.promise;
    await assert.rejects(offer.accept([]), NetError);
  });
  const first = await offered.connect();
  await first.send(upgrade("foo"));
  first.reset();
  await gone.promise;
  await until("its end", () => offered.ends.length === 1);

  let failed: unknown;
  await using open = new Door(async (offer) => {
    const tunnel = await offer.accept([]);
    await tunnel.read().catch((error) => failed = error);
    tunnel.abort();
  });
  const second = await open.connect();
  await second.send(upgrade("foo"));
  await second.has(switched("foo"));
  second.reset();
  await until("its end", () => open.ends.length === 1);
  assert.ok(failed instanceof NetError && failed.kind === "reset", String(failed));
});

Deno.test("h1 tunnel: a tunnel outlives drain, and the idle timeout is none of its own", async () => {
  await using door = new Door(acceptEcho, {
    idleTimeoutMs: 50,
    headTimeoutMs: 50,
    writeTimeoutMs: 50,
  });
  const client = await door.connect();
  await client.send(upgrade("foo"));
  await client.has(switched("foo"));
  for (const connection of door.connections) connection.drain();
  await pause(200);
  await client.send("still here");
  await client.has("still here");
  assert.equal(client.isOver, false);
});

Deno.test("h1 tunnel: stopReading reads past what comes, so that what was written arrives", async () => {
  await using door = new Door(async (offer) => {
    const tunnel = await offer.accept([]);
    tunnel.stopReading();
    await tunnel.write(bytes("last words"));
    await tunnel.closeWrite();
  });
  const client = await door.connect();
  await client.send(upgrade("foo"));
  await client.send("x".repeat(100_000));
  await client.has("last words");
  client.fin();
  await until("its end", () => door.ends.length === 1);
  assert.equal(client.error, null);
});

Deno.test("h1 tunnel: FIN that the client does not let through ends the connection in time", async () => {
  await using door = new Door(async (offer) => {
    const tunnel = await offer.accept([]);
    const stuck = tunnel.write(new Uint8Array(64 * 2 ** 20));
    stuck.catch(() => {});
    await assert.rejects(tunnel.closeWrite(), NetError);
  }, { writeTimeoutMs: 100 });
  const client = await door.connect();
  client.socket.pause();
  await client.send(upgrade("foo"));
  await until("its end", () => door.ends.length === 1);
});
