// RFC 6455 §5: a frame that breaks a rule or a limit ends the session, both sides are told, and
// not even its header goes on.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { closeAndFin, fromBackend, fromClient } from "../support/frames.ts";
import { withProxy } from "../support/proxy.ts";

const DEFLATE = "permessage-deflate";
/** A mask that changes nothing, so that a payload stands in the clear. */
const MASK = "00 00 00 00";

interface BrokenRule {
  name: string;
  /** Both ends negotiated permessage-deflate. */
  deflate?: boolean;
  /** A fragment comes before, so that a message is under way. */
  inMessage?: boolean;
  /** As a client sends it, and as a backend does; `null` where there is no such thing. */
  client: string | null;
  backend: string | null;
  code: 1002 | 1007;
}

/** A frame with an empty or clear payload: its second byte gets the mask bit for a client. */
function both(first: string, length: string, payload = ""): Pick<BrokenRule, "client" | "backend"> {
  const bytes = hex(length);
  const masked = Uint8Array.of(bytes[0] | 0x80, ...bytes.subarray(1)).toHex();
  return {
    client: `${first} ${masked} ${MASK} ${payload}`,
    backend: `${first} ${length} ${payload}`,
  };
}

function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replaceAll(" ", ""));
}

const closeWith = (payload: string) =>
  both("88", (payload.replaceAll(" ", "").length / 2).toString(16).padStart(2, "0"), payload);

const RULES: BrokenRule[] = [
  { name: "§5.1: a client's frame without a mask", client: "81 01 61", backend: null, code: 1002 },
  {
    name: "§5.1: a backend's frame with a mask",
    client: null,
    backend: `81 81 ${MASK} 61`,
    code: 1002,
  },
  { name: "§5.2: RSV1 that was not negotiated", ...both("c1", "00"), code: 1002 },
  { name: "§5.2: RSV2 beside permessage-deflate", deflate: true, ...both("a1", "00"), code: 1002 },
  { name: "§5.2: RSV3", ...both("91", "00"), code: 1002 },
  {
    name: "RFC 7692 §6.1: RSV1 on a continuation",
    deflate: true,
    inMessage: true,
    ...both("c0", "00"),
    code: 1002,
  },
  {
    name: "RFC 7692 §6.1: RSV1 on a control frame",
    deflate: true,
    ...both("c9", "00"),
    code: 1002,
  },
  { name: "§5.2: reserved data opcode 3", ...both("83", "00"), code: 1002 },
  { name: "§5.2: reserved data opcode 7", ...both("87", "00"), code: 1002 },
  { name: "§5.2: reserved control opcode B", ...both("8b", "00"), code: 1002 },
  { name: "§5.2: reserved control opcode F", ...both("8f", "00"), code: 1002 },
  { name: "§5.2: 16 bits of length for 125", ...both("82", "7e 00 7d"), code: 1002 },
  {
    name: "§5.2: 64 bits of length for 65535",
    ...both("82", "7f 00 00 00 00 00 00 ff ff"),
    code: 1002,
  },
  {
    name: "§5.2: 64 bits of length with the top bit",
    ...both("82", "7f 80 00 00 00 00 00 00 00"),
    code: 1002,
  },
  { name: "§5.5: a fragmented Ping", ...both("09", "00"), code: 1002 },
  { name: "§5.5: a Ping of 126 bytes", ...both("89", "7e 00 7e"), code: 1002 },
  { name: "§5.5: a fragmented Close", ...both("08", "00"), code: 1002 },
  { name: "§5.4: a continuation without a message", ...both("80", "00"), code: 1002 },
  { name: "§5.4: a data frame inside a message", inMessage: true, ...both("81", "00"), code: 1002 },
  { name: "§5.5.1: a Close of 1 byte", ...closeWith("03"), code: 1002 },
  { name: "§7.4.2: a Close with code 999", ...closeWith("03 e7"), code: 1002 },
  { name: "§7.4.1: a Close with code 1004", ...closeWith("03 ec"), code: 1002 },
  { name: "§7.4.1: a Close with code 1005", ...closeWith("03 ed"), code: 1002 },
  { name: "§7.4.1: a Close with code 1006", ...closeWith("03 ee"), code: 1002 },
  { name: "§7.4.1: a Close with code 1015", ...closeWith("03 f7"), code: 1002 },
  { name: "§7.4.2: a Close with code 2999", ...closeWith("0b b7"), code: 1002 },
  { name: "§7.4.2: a Close with code 5000", ...closeWith("13 88"), code: 1002 },
  { name: "§8.1: a Close whose reason is not UTF-8", ...closeWith("03 e8 c3 28"), code: 1007 },
  {
    name: "§8.1: a Close whose reason is cut in a code point",
    ...closeWith("03 e8 e2 82"),
    code: 1007,
  },
];

for (const rule of RULES) {
  const { name, client: fromC, backend: fromB, code } = rule;
  if (fromC !== null) {
    Deno.test(`closes: ${code} to both for a client's frame: ${name}`, () =>
      testRule(rule, "client"));
  }
  if (fromB !== null) {
    Deno.test(`closes: ${code} to the backend, 1014 to the client for a backend's frame: ${name}`, () =>
      testRule(rule, "backend"));
  }
}

async function testRule(rule: BrokenRule, side: "client" | "backend"): Promise<void> {
  await withProxy({}, async (t) => {
    const extensions = rule.deflate ? [["sec-websocket-extensions", DEFLATE] as const] : [];
    const lines = rule.deflate ? [`Sec-WebSocket-Extensions: ${DEFLATE}`] : [];
    const { client, backend } = await t.open({}, extensions, lines);
    const make = side === "client" ? fromClient : fromBackend;
    const far = side === "client" ? backend.inbox : client.inbox;
    const good = [make.text("good"), make.frame(Opcode.PING, "too")];
    if (rule.inMessage) good.push(make.frame(Opcode.TEXT, "part", { fin: false }));
    // Good and bad in one packet, and more behind.
    const all = concat([...good, hex(rule[side]!), make.text("behind")]);
    if (side === "client") await client.send(all);
    else backend.write(all);

    const before = concat(good);
    assert.deepEqual(await far.take(before.length), before, "what was good before it arrives");
    const toBackend = await closeAndFin(backend.inbox, true);
    const toClient = await closeAndFin(client.inbox, false);
    assert.equal(toBackend.code, rule.code);
    assert.equal(toClient.code, side === "client" ? rule.code : 1014);
    const { by, code, reason } = await t.seen.end();
    assert.deepEqual({ by, code }, { by: "proxy:error", code: rule.code });
    assert.match(reason, new RegExp(`^${side}: `), "the record says who broke it");
    await client.fin();
    backend.fin();
  });
}

Deno.test("closes: frames with RSV1 pass where permessage-deflate was negotiated", async () => {
  await withProxy({}, async (t) => {
    const { client, backend } = await t.open({}, [["sec-websocket-extensions", DEFLATE]], [
      `Sec-WebSocket-Extensions: ${DEFLATE}`,
    ]);
    const up = fromClient.frame(Opcode.TEXT, hex("f2 48 cd c9 c9 07 00"), { rsv: 4 });
    const down = fromBackend.frame(Opcode.TEXT, hex("f2 48 cd c9 c9 07 00"), { rsv: 4 });
    await client.send(up);
    backend.write(down);
    assert.deepEqual(await backend.inbox.take(up.length), up);
    assert.deepEqual(await client.inbox.take(down.length), down);
    await client.fin();
    backend.fin();
  });
});

Deno.test("closes: a client that breaks rules again and again gets its streams back", async () => {
  await withProxy({ maxStreams: 4 }, async (t) => {
    const quic = await t.connect();
    for (let i = 0; i < 20; i++) {
      const { client, backend } = await t.open();
      await client.send(hex(`83 80 ${MASK}`));
      await closeAndFin(client.inbox, false);
      await backend.destroy();
      await client.send(fromClient.text("still there?"));
      await client.fin();
    }
    quic.close();
  });
});
