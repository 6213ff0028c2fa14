// permessage-deflate (RFC 7692) at a server: off by default, and taken where it is on.
import assert from "node:assert/strict";
import * as zlib from "node:zlib";
// @ts-types="@types/ws"
import { WebSocket as NpmWebSocket } from "ws";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { RSV1 } from "../../src/protocol/websocket/rules.ts";
import { DOOR_IDS } from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";
import { echo, withServer } from "./support.ts";

const OFFER = [[
  "sec-websocket-extensions",
  "foo, permessage-deflate; client_max_window_bits",
]] as const;

/** RFC 7692 §7.2.1: without the last four bytes of the flush. */
function deflated(text: string | Uint8Array): Uint8Array {
  const flush = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
  return new Uint8Array(zlib.deflateRawSync(text, flush)).slice(0, -4);
}

function inflated(payload: Uint8Array): string {
  const bytes = [...payload, 0, 0, 0xff, 0xff];
  const flush = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
  return new TextDecoder().decode(zlib.inflateRawSync(new Uint8Array(bytes), flush));
}

const TEXT = "deflate me ".repeat(1000);

for (const door of DOOR_IDS) {
  Deno.test(`deflate: ${door}: on: messages are deflated both ways, and the socket says so`, async () => {
    await withServer({ permessageDeflate: true }, echo, async ({ peers, server }) => {
      const tunnel = await peers.open(door, { fields: OFFER });
      const answer = tunnel.get("sec-websocket-extensions");
      assert.match(answer!, /^permessage-deflate(?:;|$)/);
      const [socket] = server.sockets;
      assert.equal(socket.extensions, answer);
      tunnel.send(fromClient.frame(Opcode.TEXT, deflated(TEXT), { rsv: RSV1 }));
      const frame = await tunnel.inbox.frame();
      assert.equal(frame!.rsv, RSV1);
      assert.ok(frame!.payload.length < 1000);
      assert.equal(inflated(frame!.payload), TEXT);
    });
  });
}

Deno.test("deflate: off by default, and where no offer can be taken", async () => {
  await withServer({}, echo, async ({ peers }) => {
    assert.equal((await peers.open("h2", { fields: OFFER })).get("sec-websocket-extensions"), null);
  });
  await withServer({ permessageDeflate: true }, echo, async ({ peers }) => {
    const offer = [[
      "sec-websocket-extensions",
      "permessage-deflate; server_max_window_bits=7",
    ]] as const;
    assert.equal((await peers.open("h2", { fields: offer })).get("sec-websocket-extensions"), null);
    assert.equal((await peers.open("h2")).get("sec-websocket-extensions"), null);
  });
});

Deno.test("deflate: wishes stand in the answer", async () => {
  const permessageDeflate = { serverMaxWindowBits: 10, clientMaxWindowBits: 9 };
  await withServer({ permessageDeflate }, echo, async ({ peers }) => {
    const answer = (await peers.open("h3", { fields: OFFER })).get("sec-websocket-extensions")!;
    assert.match(answer, /server_max_window_bits=10/);
    assert.match(answer, /client_max_window_bits=9/);
  });
});

Deno.test("deflate: a bomb of zeroes is 1009 before it is inflated, and nobody else notices", async () => {
  const options = { permessageDeflate: true, maxMessageBytes: 65_536 };
  await withServer(options, echo, async ({ peers, ends }) => {
    const tunnel = await peers.open("h3", { fields: OFFER });
    const bomb = deflated(new Uint8Array(64 * 2 ** 20));
    tunnel.send(fromClient.frame(Opcode.BINARY, bomb, { rsv: RSV1 }));
    assert.equal(readClose(await tunnel.inbox.frame()).code, CloseCode.MESSAGE_TOO_BIG);
    tunnel.fin();
    await until("the end", () => ends.length === 1);
    assert.deepEqual(ends, [["us", CloseCode.MESSAGE_TOO_BIG]]);
  });
});

Deno.test("deflate: npm's ws, by any wishes", async () => {
  for (const serverNoContextTakeover of [true, false]) {
    const permessageDeflate = { serverNoContextTakeover, clientNoContextTakeover: false };
    await withServer({ permessageDeflate }, echo, async ({ plainPort }) => {
      const socket = new NpmWebSocket(`ws://127.0.0.1:${plainPort}/`, {
        perMessageDeflate: { threshold: 0 },
      });
      await within("open", new Promise((resolve) => socket.once("open", resolve)));
      assert.match(socket.extensions, /^permessage-deflate/);
      for (let i = 0; i < 5; i++) {
        const back = new Promise<string>((resolve) =>
          socket.once("message", (data) => resolve(String(data)))
        );
        socket.send(`${i} ${TEXT}`);
        assert.equal(await within("an echo", back), `${i} ${TEXT}`);
      }
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.close();
      await within("close", closed);
    });
  }
});
