// MQTT over WebSocket (MQTT 3.1.1 §6): MQTT.js, and aedes as the broker.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { within } from "../support/within.ts";
import { DOORS, originOf, startDoors } from "./doors.ts";
import { requirePeer } from "./npm_peers.ts";
import { peerTests } from "./peers.ts";

interface Client {
  subscribeAsync(topic: string, options: { qos: number }): Promise<unknown>;
  publishAsync(topic: string, payload: Buffer, options: { qos: number }): Promise<unknown>;
  once(event: "message", listener: (topic: string, payload: Buffer) => void): void;
  endAsync(): Promise<void>;
}

interface Mqtt {
  connectAsync(url: string, options: Record<string, unknown>): Promise<Client>;
}

interface Broker extends AsyncDisposable {
  readonly port: number;
}

/** What Node.js runs: aedes does not answer CONNECT on Deno 2.9.6, with or without a proxy. */
const BROKER = `
  const Aedes = require("aedes");
  const { createWebSocketStream, WebSocketServer } = require("ws");
  const broker = new Aedes();
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => broker.handle(createWebSocketStream(socket)));
  server.on("listening", () => console.log(server.address().port));
`;

async function startAedes(folder: string): Promise<Broker> {
  const child = new Deno.Command("node", {
    args: ["--eval", BROKER],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await within("aedes", reader.read());
  return {
    port: Number(value),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}

const test = peerTests("H3WS_NPM");

for (const door of DOORS.filter(({ http }) => http === "1.1")) {
  test(
    `MQTT over WebSocket: two clients, and messages of every quality of service, by ${door.name}`,
    async (folder) => {
      await using broker = await startAedes(folder);
      await using proxy = await startDoors({ backendPort: broker.port });
      const { connectAsync } = requirePeer<Mqtt>(folder, "mqtt");
      const connect = () => {
        const url = `${originOf(door, proxy).replace(/^http/, "ws")}/mqtt`;
        const options = { ca: proxy.caCerts[0], reconnectPeriod: 0, timerVariant: "native" };
        return within("a connection of MQTT.js's", connectAsync(url, options));
      };
      const [one, other] = [await connect(), await connect()];
      await within("a subscription", one.subscribeAsync("rooms/#", { qos: 2 }));
      const payloads = [
        Buffer.from("grüße"),
        Buffer.alloc(100_000, "x"),
        Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)),
      ];
      for (const [qos, payload] of payloads.entries()) {
        const came = new Promise<[string, Buffer]>((resolve) => {
          one.once("message", (topic, payload) => resolve([topic, payload]));
        });
        const sent = other.publishAsync(`rooms/${qos}`, payload, { qos });
        const [topic, got] = await within("a message", came);
        await within("its acknowledgement", sent);
        assert.equal(topic, `rooms/${qos}`);
        assert.ok(got.equals(payload));
      }
      const { http, subprotocol } = await proxy.logged("ws.open");
      assert.deepEqual([http, subprotocol], ["1.1", "mqtt"]);
      await one.endAsync();
      await other.endAsync();
      for (let i = 0; i < 2; i++) await proxy.logged("ws.close");
    },
  );
}
