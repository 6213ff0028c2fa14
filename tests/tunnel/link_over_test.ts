// A link that is closed by the gateway is no link from then on, whatever its agent does about it.
import assert from "node:assert/strict";
import type * as net from "node:net";
import { encodeFrame } from "../../src/protocol/tunnel/encode.ts";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { TUNNEL_SUBPROTOCOL } from "../../src/tunnel/mux_link.ts";
import { fromClient } from "../support/frames.ts";
import { testCertificates } from "../support/proxy.ts";
import { connectRaw } from "../support/raw_socket.ts";
import { until } from "../support/until.ts";
import { Shop } from "./shop.ts";

const text = (value: unknown) => fromClient.text(JSON.stringify(value));
const binary = (bytes: Uint8Array) => fromClient.frame(Opcode.BINARY, bytes);
const ann = { username: "ann", password: "secret", client_id: "raw" };

const LINKS = {
  ws: {
    subprotocol: `Sec-WebSocket-Protocol: ${TUNNEL_SUBPROTOCOL}\r\n`,
    auth: binary(encodeFrame({ type: "auth", auth: Shop.auth("raw") })),
  },
  json: { subprotocol: "", auth: text({ type: "auth", data: ann }) },
};

/** An agent that says who it is, and nothing any more. */
async function muteAgent(shop: Shop, { subprotocol, auth }: typeof LINKS.ws): Promise<net.Socket> {
  const { caPem } = await testCertificates();
  const { socket } = connectRaw(shop.port, { caCerts: [caPem], alpn: "http/1.1" });
  let got = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => got += bytes);
  socket.write(
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${subprotocol}\r\n`,
  );
  await until("101", () => got.startsWith("HTTP/1.1 101 "));
  socket.write(auth);
  await shop.agents("raw");
  return socket;
}

/** Below what the peer of a WebSocket has for its Close. */
const AT_ONCE_MS = 4_000;

for (const [name, link] of Object.entries(LINKS)) {
  for (const isFault of [true, false]) {
    const what = isFault ? "breaks a rule" : "is sent away";
    Deno.test(`link by ${name}: an agent that ${what} and answers no Close is none any more`, async () => {
      await using shop = await Shop.open();
      const socket = await muteAgent(shop, link);
      try {
        // For both it is a message of the wrong kind.
        if (isFault) socket.write(name === "ws" ? text({}) : binary(new Uint8Array(9)));
        else shop.gateway.agents.list()[0].link.close("go away");
        const isGone = () => shop.told.lines.some((line) => line.startsWith("agent- raw us: "));
        await until("the end of the agent", isGone, AT_ONCE_MS);
        assert.deepEqual(shop.gateway.agents.list(), []);
      } finally {
        socket.destroy();
      }
    });
  }
}
