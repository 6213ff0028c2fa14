import assert from "node:assert/strict";
import { DatagramReader, frameDatagram, UdpFlow } from "../../src/net/udp_flow.ts";
import { within } from "../support/within.ts";

async function withPeers(
  run: (peers: { peer: Deno.DatagramConn; flow: UdpFlow }) => Promise<void>,
): Promise<void> {
  const peer = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = peer.addr as Deno.NetAddr;
  const flow = new UdpFlow({ address: "127.0.0.1", port });
  try {
    await run({ peer, flow });
  } finally {
    flow.abort();
    peer.close();
  }
}

Deno.test("udp flow: datagrams of any size come back whole", async () => {
  await withPeers(async ({ peer, flow }) => {
    const reader = new DatagramReader(flow);
    for (const size of [0, 1, 1024, 1500, 9000, 60_000]) {
      const sent = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
      await flow.write(frameDatagram(sent));
      const [got, from] = await within("the datagram", peer.receive(new Uint8Array(65_536)));
      assert.deepEqual(got, sent, `${size} bytes there`);
      await peer.send(got, from);
      assert.deepEqual(await within("its echo", reader.next()), sent, `${size} bytes back`);
    }
  });
});

Deno.test("udp flow: a datagram of another address is dropped, of the same port too", async () => {
  await withPeers(async ({ peer, flow }) => {
    const { port } = peer.addr as Deno.NetAddr;
    await flow.write(frameDatagram(Uint8Array.of(1)));
    const [, to] = await within("the datagram", peer.receive());
    const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.2", port });
    try {
      await stranger.send(Uint8Array.of(66), to);
      await peer.send(Uint8Array.of(2), to);
      assert.deepEqual(
        await within("a datagram", new DatagramReader(flow).next()),
        Uint8Array.of(2),
      );
    } finally {
      stranger.close();
    }
  });
});
