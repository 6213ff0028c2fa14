// What a peer is told that breaks a rule, on either side: RFC 6455 §7.1.7.
import assert from "node:assert/strict";
import { NetError } from "../../src/net/error.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { hex } from "../protocol/websocket/support.ts";
import { within } from "../support/within.ts";
import { type Peer, type Role, ROLES, sent, socketOn, utf8 } from "./support.ts";

/** What the peer breaks, and what it is told. */
const FAULTS: { name: string; code: number; bytes: (peer: Peer, role: Role) => Uint8Array }[] = [
  {
    name: "§5.1: a mask where there must be none, none where there must be one",
    code: 1002,
    bytes: (_, role) => hex(role === "server" ? "8100" : "8180 00000000"),
  },
  {
    name: "§5.2: RSV1 that was not negotiated",
    code: 1002,
    bytes: (peer) => peer.frame({ opcode: Opcode.TEXT, rsv: 4, payload: utf8.encode("x") }),
  },
  {
    name: "§5.5: a fragmented Ping",
    code: 1002,
    bytes: (peer) => peer.frame({ opcode: Opcode.PING, fin: false, payload: utf8.encode("x") }),
  },
  {
    name: "§7.4.1: 1006 on the wire",
    code: 1002,
    bytes: (peer) => peer.frame({ opcode: Opcode.CLOSE, payload: hex("03ee") }),
  },
  {
    name: "§7.4.1: 1005 on the wire",
    code: 1002,
    bytes: (peer) => peer.frame({ opcode: Opcode.CLOSE, payload: hex("03ed") }),
  },
  {
    name: "§8.1: text that is not UTF-8",
    code: 1007,
    bytes: (peer) => peer.frame({ opcode: Opcode.TEXT, payload: hex("c328") }),
  },
  {
    name: "§5.5.1: a reason that is not UTF-8",
    code: 1007,
    bytes: (peer) => peer.frame({ opcode: Opcode.CLOSE, payload: hex("03e8 c328") }),
  },
  {
    name: "a frame above the limit",
    code: 1009,
    bytes: (peer) => peer.binary(new Uint8Array(1001)).subarray(0, 20),
  },
  {
    name: "a message above the limit",
    code: 1009,
    bytes: (peer) => {
      const payload = new Uint8Array(999);
      const frames = [Opcode.BINARY, Opcode.CONTINUATION, Opcode.CONTINUATION, 0, 0]
        .map((opcode) => peer.frame({ opcode: opcode as Opcode, fin: false, payload }));
      return Uint8Array.from(frames.flatMap((frame) => [...frame]));
    },
  },
];

for (const { name, code, bytes } of FAULTS) {
  for (const role of ROLES) {
    Deno.test(`socket, ${role}: RFC 6455 ${name} is answered with ${code}`, async () => {
      const { socket, stream, peer } = socketOn(role, {
        maxFrameBytes: 1000,
        maxMessageBytes: 4000,
      });
      stream.feed(peer.text("before"), bytes(peer, role), peer.text("behind"), null);
      assert.equal(await socket.receive(), "before");
      assert.equal(await socket.receive(), null);
      const end = await within("closed", socket.closed);
      assert.equal(await stream.next(), sent(role, `CLOSE ${code} ${end.reason}`));
      assert.deepEqual([end.code, end.wasClean, end.by], [code, false, "us"]);
      assert.notEqual(end.reason, "");
      assert.deepEqual(stream.rest, ["closeWrite", "abort"]);
      await assert.rejects(socket.send("late"), NetError);
    });
  }
}

for (const role of ROLES) {
  Deno.test(`socket, ${role}: RFC 6455 §7.1.7: the Close for a broken rule goes at once; what was queued is dropped`, async () => {
    const { socket, stream, peer } = socketOn(role);
    stream.fill();
    const sends = Promise.allSettled([
      socket.send(new Uint8Array(200_000)),
      socket.send("never"),
    ]);
    assert.equal(await stream.next(), sent(role, "BINARY+ 65536 bytes"));
    stream.feed(peer.frame({ opcode: 3 as Opcode, payload: new Uint8Array(0) }), null);
    assert.equal(await stream.next(), sent(role, "CLOSE 1002 Frame opcode 0x3 is reserved"));
    stream.makeRoom();
    const outcomes = await within("the sends", sends);
    assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected"]);
    assert.equal((await within("closed", socket.closed)).code, 1002);
    assert.deepEqual(stream.rest, ["closeWrite", "abort"]);
  });

  Deno.test(`socket, ${role}: what onPong throws ends the socket with 1011`, async () => {
    const { socket, stream, peer } = socketOn(role, {
      onPong: () => {
        throw new Error("no luck");
      },
    });
    stream.feed(peer.pong(), null);
    assert.equal(await stream.next(), sent(role, "CLOSE 1011 no luck"));
    assert.equal((await within("closed", socket.closed)).code, 1011);
  });
}
