// RFC 7540 §3.2: what may happen between the request and the first frame.
import assert from "node:assert/strict";
import { TcpDoor } from "../../src/ingress/tcp_door.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { NetError } from "../../src/net/error.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { CLIENT_PREFACE, Flag, FrameType } from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { h2Frame, h2Settings, SETTINGS_ACK } from "../support/h2_frames.ts";
import { fromLatin1, latin1 } from "../support/inbox.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const ASKING = "GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
  "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";

/** A client that asks for HTTP/2, and takes the 101 when the test says so. */
class Asking implements ByteStream {
  readonly headroom = 0;
  /** What was written. */
  written = "";
  isAborted = false;
  readonly taken: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly behind: PromiseWithResolvers<Uint8Array | null> = Promise.withResolvers();
  readonly #reads = [Promise.resolve(fromLatin1(ASKING)), this.behind.promise];

  read(): Promise<Uint8Array | null> {
    return this.#reads.shift() ?? Promise.resolve(null);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.written += latin1(bytes);
    await this.taken.promise;
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {
    this.isAborted = true;
    const error = new NetError("aborted", "it was aborted");
    this.taken.promise.catch(() => {});
    this.taken.reject(error);
    this.behind.resolve(null);
  }
}

interface Talk {
  door: TcpDoor;
  client: Asking;
  /** Of each connection that was opened and closed. */
  told: string[];
}

/** Runs `body` while the 101 is being written. */
async function whileSwitching(
  body: (talk: Talk) => Promise<void>,
  writeTimeoutMs = 20_000,
): Promise<void> {
  const sweeper = new Sweeper(10);
  const told: string[] = [];
  const bugs: unknown[] = [];
  const nothing = () => {};
  const door = new TcpDoor({
    ...{ maxHeaderBytes: 16_384, headTimeoutMs: 20_000, idleTimeoutMs: 20_000, writeTimeoutMs },
    ...{ sweeper, h2: {}, h2cUpgrade: true, maxHandshakes: 1, maxConnections: () => 1 },
    ...{ onHeadRefused: nothing, onPeerError: nothing, onConnectionRefused: nothing },
    onHandshakeFailed: nothing,
    onOffer: (offer) => offer.respond(204, []),
    onBug: (_where, error) => bugs.push(error),
    onConnectionOpened: (http) => told.push(`+${http}`),
    onConnectionClosed: (http, { reason }) => told.push(`-${http} ${reason}`),
  });
  const client = new Asking();
  door.take({
    ...{ stream: client, remote: "192.0.2.1:1", secure: false, alpn: null, serverName: null },
    clientCertificate: null,
  });
  try {
    await until("the 101", () => client.written !== "");
    assert.match(client.written, /^HTTP\/1\.1 101 /);
    await body({ door, client, told });
    await until("the end", () => door.connections === 0);
    assert.ok(client.isAborted);
    assert.equal(sweeper.size, 0, "deadlines are left");
  } finally {
    sweeper.stop();
  }
  assert.deepEqual(bugs, []);
}

const SWITCHED = ["+1.1", "-1.1 switched to HTTP/2", "+2"];

Deno.test("h2c: a drain that begins while it switches is one of HTTP/2", async () => {
  await whileSwitching(async ({ door, client, told }) => {
    const drained = door.drain();
    client.taken.resolve();
    const pong = h2Frame([FrameType.PING, Flag.ACK], 0, fromLatin1("h3ws\x01\x01\x01\x01"));
    client.behind.resolve(concat([CLIENT_PREFACE, h2Settings([]), SETTINGS_ACK, pong]));
    await within("the drain", drained);
    // RFC 9113 §6.8: GOAWAY twice, the second of which names the request.
    assert.ok(client.written.includes("\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0"), "the first");
    assert.ok(client.written.includes("\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0"), "the second");
    assert.deepEqual(told.slice(0, 3), SWITCHED);
    assert.equal(told.length, 4);
  });
});

Deno.test("h2c: a client that does not take the 101 is cut off, and never was one of HTTP/2", async () => {
  await whileSwitching(async ({ told }) => {
    await until("its end", () => told.length === 2);
    assert.deepEqual(told, ["+1.1", "-1.1 it was aborted"]);
  }, 100);
});

Deno.test("h2c: a door that closes while it switches ends the connection", async () => {
  await whileSwitching(async ({ door, told }) => {
    door.close();
    await until("its end", () => told.length === 2);
    assert.deepEqual(told, ["+1.1", "-1.1 closed"]);
  });
});
