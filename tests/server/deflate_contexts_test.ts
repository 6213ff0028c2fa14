// RFC 7692 §7.1 at a server, as a peer sees it on the wire: contexts that are kept or not, windows, and
// what our own client and server agree on over each version.
import assert from "node:assert/strict";
import * as zlib from "node:zlib";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import type { DeflateWishes } from "../../src/protocol/websocket/permessage_deflate.ts";
import { RSV1 } from "../../src/protocol/websocket/rules.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { DOOR_IDS, type DoorTunnel, say } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, withServer } from "./support.ts";

const ANY: DeflateWishes = { serverNoContextTakeover: false, clientNoContextTakeover: false };
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);

const PARTS = Array.from({ length: 4 }, () => crypto.getRandomValues(new Uint8Array(3000)));
/** Each is smaller by a third for what it has twice, and by a third for what the one before it has. */
const MESSAGES = [0, 1, 2].map((i) => concat([PARTS[i], PARTS[i + 1], PARTS[i]]));

/** One direction of a peer's, from message to message (RFC 7692 §7.2). */
class Peer {
  readonly #keeps: boolean;
  readonly #make: () => zlib.DeflateRaw | zlib.InflateRaw;
  #stream: zlib.DeflateRaw | zlib.InflateRaw | null = null;

  constructor(make: () => zlib.DeflateRaw | zlib.InflateRaw, keeps = true) {
    this.#make = make;
    this.#keeps = keeps;
  }

  /** Rejects for what can't be inflated. */
  async run(input: Uint8Array): Promise<Uint8Array> {
    const stream = this.#stream = (this.#keeps ? this.#stream : null) ?? this.#make();
    const parts: Uint8Array[] = [];
    const take = (part: Uint8Array) => void parts.push(part);
    stream.on("data", take);
    await new Promise<void>((resolve, reject) => {
      stream.once("error", reject);
      stream.write(input);
      stream.flush(zlib.constants.Z_SYNC_FLUSH, () => resolve());
    });
    stream.off("data", take);
    return concat(parts);
  }
}

/** RFC 7692 §7.2.1 */
function deflater(keeps = true): (message: Uint8Array) => Promise<Uint8Array> {
  const peer = new Peer(() => zlib.createDeflateRaw(), keeps);
  return async (message) => (await peer.run(message)).slice(0, -TAIL.length);
}

/** RFC 7692 §7.2.2 */
function inflater(keeps = true): (payload: Uint8Array) => Promise<Uint8Array> {
  const peer = new Peer(() => zlib.createInflateRaw(), keeps);
  return (payload) => peer.run(concat([payload, TAIL]));
}

/** Sends it deflated, and gives the payload of the echo, deflated as it came. */
async function exchange(tunnel: DoorTunnel, payload: Uint8Array): Promise<Uint8Array> {
  tunnel.send(fromClient.frame(Opcode.BINARY, payload, { rsv: RSV1 }));
  const frame = await tunnel.inbox.frame();
  assert.deepEqual([frame!.opcode, frame!.rsv], [Opcode.BINARY, RSV1]);
  return frame!.payload;
}

interface Row {
  name: string;
  wishes: DeflateWishes;
  offer: string;
  answer: string;
  /** Whether the server, and the client, go on from message to message. */
  keeps: { server: boolean; client: boolean };
}

const ROWS: readonly Row[] = [
  {
    name: "§7.1.1: neither wishes anything: both keep their contexts",
    wishes: ANY,
    offer: "permessage-deflate",
    answer: "permessage-deflate",
    keeps: { server: true, client: true },
  },
  {
    name: "§7.1.1.1: a client that wishes the server's gone",
    wishes: ANY,
    offer: "permessage-deflate; server_no_context_takeover",
    answer: "permessage-deflate; server_no_context_takeover",
    keeps: { server: false, client: true },
  },
  {
    name: "§7.1.1.2: a client that keeps none of its own",
    wishes: ANY,
    offer: "permessage-deflate; client_no_context_takeover",
    answer: "permessage-deflate; client_no_context_takeover",
    keeps: { server: true, client: false },
  },
  {
    name: "§7.1.1.1: a server that keeps none of its own",
    wishes: { ...ANY, serverNoContextTakeover: true },
    offer: "permessage-deflate",
    answer: "permessage-deflate; server_no_context_takeover",
    keeps: { server: false, client: true },
  },
  {
    name: "§7.1.1.2: a server that wishes the client's gone",
    wishes: { ...ANY, clientNoContextTakeover: true },
    offer: "permessage-deflate",
    answer: "permessage-deflate; client_no_context_takeover",
    keeps: { server: true, client: false },
  },
];

for (const door of DOOR_IDS) {
  for (const { name, wishes, offer, answer, keeps } of ROWS) {
    Deno.test(`deflate: ${door}: RFC 7692 ${name}`, async () => {
      await withServer({ permessageDeflate: wishes }, echo, async ({ peers, ends }) => {
        const fields = [["sec-websocket-extensions", offer]] as const;
        const tunnel = await peers.open(door, { fields });
        assert.equal(tunnel.get("sec-websocket-extensions"), answer);
        const deflate = deflater(keeps.client);
        const inflate = inflater(keeps.server);
        for (const [i, message] of MESSAGES.entries()) {
          const back = await exchange(tunnel, await deflate(message));
          assert.deepEqual(await inflate(back), message);
          const want = keeps.server && i > 0 ? 3000 : 6000;
          assert.ok(Math.abs(back.length - want) < 500, `${back.length} bytes, not ${want}`);
        }
        if (keeps.client) return;
        // §7.2.3.2: it refers to what is there no more.
        const other = await peers.open(door, { fields });
        const kept = deflater();
        await kept(MESSAGES[2]);
        tunnel.send(fromClient.frame(Opcode.BINARY, await kept(MESSAGES[2]), { rsv: RSV1 }));
        const { code } = readClose(await tunnel.inbox.frame());
        assert.equal(code, CloseCode.INVALID_FRAME_PAYLOAD_DATA);
        tunnel.fin();
        await until("its end", () => ends.length === 1);
        assert.equal(await say(other, "still"), "still");
      });
    });
  }

  Deno.test(`deflate: ${door}: RFC 7692 §7.1.2.2: what is behind the client's window is 1007`, async () => {
    const permessageDeflate = { ...ANY, clientMaxWindowBits: 9 };
    await withServer({ permessageDeflate }, echo, async ({ peers }) => {
      const offer = "permessage-deflate; client_max_window_bits";
      const fields = [["sec-websocket-extensions", offer]] as const;
      const tunnel = await peers.open(door, { fields });
      assert.equal(
        tunnel.get("sec-websocket-extensions"),
        "permessage-deflate; client_max_window_bits=9",
      );
      const message = new Uint8Array(2000).fill(7);
      const deflate = deflater();
      await exchange(tunnel, await deflate(concat([PARTS[0].slice(0, 400), message])));
      // 2,000 bytes back.
      const far = await deflate(PARTS[0].slice(0, 400));
      assert.ok(far.length < 100, "it refers to what was there before");
      tunnel.send(fromClient.frame(Opcode.BINARY, far, { rsv: RSV1 }));
      const { code } = readClose(await tunnel.inbox.frame());
      assert.equal(code, CloseCode.INVALID_FRAME_PAYLOAD_DATA);
    });
  });

  Deno.test(`deflate: ${door}: RFC 7692 §8: maxMessageBytes is of what is inflated: a byte more is 1009`, async () => {
    const options = { permessageDeflate: true, maxMessageBytes: 100_000 };
    await withServer(options, echo, async ({ peers, ends }) => {
      const fields = [["sec-websocket-extensions", "permessage-deflate"]] as const;
      const tunnel = await peers.open(door, { fields });
      const deflate = deflater(false);
      const back = await exchange(tunnel, await deflate(new Uint8Array(100_000)));
      assert.equal((await inflater()(back)).length, 100_000);
      const more = await deflate(new Uint8Array(100_001));
      assert.ok(more.length < 200);
      // In frames, none of which says so.
      const half = more.length >> 1;
      tunnel.send(fromClient.frame(Opcode.BINARY, more.slice(0, half), { rsv: RSV1, fin: false }));
      tunnel.send(fromClient.frame(Opcode.CONTINUATION, more.slice(half)));
      assert.equal(readClose(await tunnel.inbox.frame()).code, CloseCode.MESSAGE_TOO_BIG);
      tunnel.fin();
      await until("its end", () => ends.length === 1);
      assert.deepEqual(ends, [["us", CloseCode.MESSAGE_TOO_BIG]]);
    });
  });
}

/** What our client wishes of our server. */
const WISHES: Record<string, DeflateWishes> = {
  "no wishes": {},
  "contexts that are kept": ANY,
  "the smallest windows": { ...ANY, serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
};

for (const httpVersion of ["1.1", "2", "3"] as const) {
  for (const [name, wishes] of Object.entries(WISHES)) {
    Deno.test(`deflate: our client over HTTP/${httpVersion}, ${name}: text and bytes both ways, and 1009 for what inflates to too much`, async () => {
      const options = { permessageDeflate: ANY };
      await withServer(options, async (request) => {
        const socket = await request.accept();
        for await (const message of socket) {
          await socket.send(message === "much" ? "much ".repeat(100_000) : message);
        }
      }, async ({ port, caPem, server, ends }) => {
        using connections = new Connections();
        const socket = await connectWebSocket(`wss://localhost:${port}/`, {
          ...{ httpVersion, connections, caCerts: [caPem] },
          deflate: wishes,
          maxMessageBytes: 200_000,
        });
        const [atServer] = server.sockets;
        assert.match(socket.extensions, /^permessage-deflate(?:;|$)/);
        assert.equal(atServer.extensions, socket.extensions);
        const large = "grüße ".repeat(20_000);
        for (const message of ["x", large, "", concat(PARTS), large, new Uint8Array(150_000)]) {
          await socket.send(message);
          assert.deepEqual(await within("an echo", socket.receive()), message);
        }
        await socket.send("much");
        assert.equal(await within("the end", socket.receive()), null);
        const { code, by } = await socket.closed;
        assert.deepEqual([code, by], [CloseCode.MESSAGE_TOO_BIG, "us"]);
        await until("the end at the server", () => ends.length === 1);
        assert.deepEqual(ends, [["peer", CloseCode.MESSAGE_TOO_BIG]]);
      });
    });
  }
}
