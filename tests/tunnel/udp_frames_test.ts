// What a link carries of UDP: a stream of bytes, in which each datagram stands behind its length.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { decodeFrame } from "../../src/protocol/tunnel/decode.ts";
import { encodeFrame } from "../../src/protocol/tunnel/encode.ts";
import type { Frame } from "../../src/protocol/tunnel/frame.ts";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { TUNNEL_SUBPROTOCOL } from "../../src/tunnel/mux_link.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { Shop } from "./shop.ts";
import { LOOPBACK } from "./support.ts";

const utf8 = new TextEncoder();
const target = { protocol: "udp", host: "127.0.0.1", port: 9 } as const;

Deno.test("link by ws: DATA of a udp stream is datagrams behind their lengths, cut anywhere", async () => {
  const forwards = [{ listen: LOOPBACK, group: "default", target }];
  await using shop = await Shop.open({ gateway: { forwards } });
  const { caPem } = await testCertificates();
  const connections = new Connections();
  const socket = await connectWebSocket(`wss://localhost:${shop.port}/ws`, {
    ...{ protocols: [TUNNEL_SUBPROTOCOL], caCerts: [caPem], tcpOnly: true, connections },
  });
  const send = (frame: Frame) => socket.send(encodeFrame(frame));
  const next = async () => decodeFrame(await within("a frame", socket.receive()) as Uint8Array)!;
  const client = Deno.listenDatagram({ transport: "udp", ...LOOPBACK });
  try {
    await send({ type: "auth", auth: Shop.auth("raw") });
    assert.equal((await next()).type, "authed");
    await shop.agents("raw");
    const to = { transport: "udp", hostname: "127.0.0.1", port: shop.forwardPorts[0] } as const;
    for (const text of ["hello", "world!"]) await client.send(utf8.encode(text), to);
    const open = await next();
    assert.ok(open.type === "open" && open.protocol === "udp");
    const { id } = open;
    await send({ type: "opened", id, windowBytes: 1 << 16 });
    const want = concat(
      [[0, 5], utf8.encode("hello"), [0, 6], utf8.encode("world!")].map((part) =>
        Uint8Array.from(part)
      ),
    );
    let got = new Uint8Array(0);
    while (got.length < want.length) {
      const frame = await next();
      assert.ok(frame.type === "data" && frame.id === id);
      got = concat([got, frame.bytes]);
    }
    assert.deepEqual(got, want);
    // And back, a byte in each frame.
    for (const byte of want) await send({ type: "data", id, bytes: Uint8Array.of(byte) });
    for (const text of ["hello", "world!"]) {
      const [datagram] = await within("a datagram", client.receive());
      assert.equal(new TextDecoder().decode(datagram), text);
    }
  } finally {
    client.close();
    socket.abort();
    await socket.closed;
    connections.close();
  }
});
