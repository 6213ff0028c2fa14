// MQTT 3.1.1 by a port of the gateway, to Mosquitto behind the agent.
import assert from "node:assert/strict";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { until } from "../support/until.ts";
import { Raw } from "../tunnel/raw.ts";
import { withTunnel } from "../tunnel/support.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_MOSQUITTO");
const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

const Packet = {
  CONNECT: 0x10,
  CONNACK: 0x20,
  PUBLISH: 0x30,
  PUBACK: 0x40,
  SUBSCRIBE: 0x82,
  SUBACK: 0x90,
} as const;

const utf8 = new TextEncoder();
/** MQTT 3.1.1 §1.5.3 */
const text = (value: string) => concat([u16(value.length), utf8.encode(value)]);
const u16 = (value: number) => Uint8Array.of(value >> 8, value & 0xff);

/** As much of MQTT as it takes to publish and to subscribe, with QoS 1. */
class Mqtt {
  readonly #raw: Raw;
  #id = 0;

  constructor(raw: Raw) {
    this.#raw = raw;
  }

  static async connect(port: number, name: string): Promise<Mqtt> {
    const mqtt = new Mqtt(await Raw.connect(port));
    // §3.1.2: level 4, a clean session, no keep-alive.
    await mqtt.#send(Packet.CONNECT, [text("MQTT"), Uint8Array.of(4, 2, 0, 0), text(name)]);
    const { body } = await mqtt.expect(Packet.CONNACK);
    assert.deepEqual([...body], [0, 0]);
    return mqtt;
  }

  async subscribe(topic: string): Promise<void> {
    await this.#send(Packet.SUBSCRIBE, [u16(++this.#id), text(topic), Uint8Array.of(1)]);
    assert.equal((await this.expect(Packet.SUBACK)).body[2], 1);
  }

  async publish(topic: string, payload: Uint8Array): Promise<void> {
    const id = u16(++this.#id);
    await this.#send(Packet.PUBLISH | 2, [text(topic), id, payload]);
    assert.deepEqual((await this.expect(Packet.PUBACK)).body, id);
  }

  /** What was published, and an answer to it. */
  async message(topic: string): Promise<Uint8Array> {
    const { flags, body } = await this.expect(Packet.PUBLISH);
    const name = text(topic);
    assert.deepEqual(body.subarray(0, name.length), name);
    if (flags === 0) return body.subarray(name.length);
    await this.#send(Packet.PUBACK, [body.subarray(name.length, name.length + 2)]);
    return body.subarray(name.length + 2);
  }

  async expect(type: number): Promise<{ flags: number; body: Uint8Array }> {
    const [first] = await this.#raw.bytes(1);
    let length = 0;
    // §2.2.3: seven bits a byte, the lowest first.
    for (let shift = 0;; shift += 7) {
      const [byte] = await this.#raw.bytes(1);
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    assert.equal(first & 0xf0, type & 0xf0);
    return { flags: first & 0x0f, body: await this.#raw.bytes(length) };
  }

  async #send(first: number, parts: Uint8Array[]): Promise<void> {
    const body = concat(parts);
    const length: number[] = [];
    for (let left = body.length; length.length === 0 || left > 0; left = left >> 7) {
      length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    }
    await this.#raw.send(concat([Uint8Array.of(first, ...length), body]));
  }

  close(): void {
    this.#raw.close();
  }
}

async function withMosquitto(path: string, run: (port: number) => Promise<void>): Promise<void> {
  const listener = Deno.listen(LOOPBACK);
  const { port } = listener.addr;
  listener.close();
  const folder = await Deno.makeTempDir();
  const config = `${folder}/mosquitto.conf`;
  await Deno.writeTextFile(config, `listener ${port} 127.0.0.1\nallow_anonymous true\n`);
  const broker = new Deno.Command(path, {
    args: ["-c", config],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await until("Mosquitto", async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => null);
      conn?.close();
      return conn !== null;
    });
    await run(port);
  } finally {
    broker.kill("SIGKILL");
    await broker.status;
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [name, transports] of [["quic", ["quic"]], ["ws", ["ws"]]] as const) {
  test(`Mosquitto over open_ports by ${name}: what one publishes the other gets`, async (path) => {
    const listener = Deno.listen(LOOPBACK);
    const remotePort = listener.addr.port;
    listener.close();
    await withMosquitto(path, async (localPort) => {
      const openPorts = [
        { protocol: "tcp", remotePort, localHost: "127.0.0.1", localPort } as const,
      ];
      const ranges = [[remotePort, remotePort]] as const;
      const gateway = { openPorts: { hostname: "127.0.0.1", ranges } };
      await withTunnel({ transports, gateway, openPorts }, async ({ gateway, agent }) => {
        const reader = await Mqtt.connect(remotePort, "reader");
        await reader.subscribe("a/b");
        const writer = await Mqtt.connect(remotePort, "writer");
        for (const size of [1, 1_000, 200_000]) {
          const payload = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
          await writer.publish("a/b", payload);
          assert.deepEqual(await reader.message("a/b"), payload);
        }
        assert.equal(gateway.gateway.connections, 2);
        reader.close();
        writer.close();
        await until("the end", () => gateway.gateway.connections === 0 && agent.streams === 0);
      });
    });
  });
}
