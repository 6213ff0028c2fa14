// How much an agent may say before it is known who it is.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import { MAX_FRAME_BYTES } from "../../src/protocol/tunnel/frame.ts";
import { TUNNEL_SUBPROTOCOL } from "../../src/tunnel/mux_link.ts";
import { testCertificates } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import { withTunnel } from "./support.ts";

async function withSocket(
  protocols: readonly string[],
  run: (socket: Awaited<ReturnType<typeof connectWebSocket>>) => Promise<void>,
): Promise<void> {
  const { caPem } = await testCertificates();
  await withTunnel({ unlinked: true }, async ({ gateway: { port } }) => {
    const options = { caCerts: [caPem], protocols: [...protocols] };
    const socket = await connectWebSocket(`wss://localhost:${port}/ws`, options);
    await run(socket);
    socket.abort();
    await socket.closed;
  });
}

for (const [how, protocols] of [["frames", [TUNNEL_SUBPROTOCOL]], ["JSON", []]] as const) {
  Deno.test(`early size: nobody keeps more than one frame of a stranger by ${how}`, async () => {
    await withSocket(protocols, async (socket) => {
      await socket.send(new Uint8Array(MAX_FRAME_BYTES + 1)).catch(() => {});
      const { code, by } = await within("the end", socket.closed);
      assert.deepEqual({ code, by }, { code: CloseCode.MESSAGE_TOO_BIG, by: "peer" });
    });
  });
}

Deno.test("early size: an agent that is known by JSON may say more", async () => {
  await withSocket([], async (socket) => {
    const data = { username: "ann", password: "secret", client_id: "two" };
    await socket.send(JSON.stringify({ type: "auth", data }));
    assert.match(String(await within("its answer", socket.receive())), /"success":true/);
    await socket.send(JSON.stringify({ type: "x".repeat(4 * MAX_FRAME_BYTES), data: {} }));
    assert.match(String(await within("an error", socket.receive())), /INVALID_MESSAGE/);
  });
});
