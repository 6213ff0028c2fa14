// One end of a JSON link that says what the test has it say, right or wrong.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { serve } from "../../src/server/server.ts";
import { JsonLink, type JsonLinkOptions } from "../../src/tunnel/json_link.ts";
import { within } from "../support/within.ts";

type Data = Record<string, unknown>;

/** A WebSocket with messages in it. */
export class JsonPeer {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  async send(type: string, data: Data): Promise<void> {
    await this.socket.send(JSON.stringify({ type, data }));
  }

  async sendBytes(id: string, bytes: Uint8Array): Promise<void> {
    await this.send("data", { connection_id: id, payload: bytes.toBase64() });
  }

  /** The data of the next message, which is of this type. */
  async next(type: string): Promise<Data> {
    const text = await within(`"${type}"`, this.socket.receive());
    assert.ok(typeof text === "string", `${type}: got ${text}`);
    const message = JSON.parse(text);
    assert.equal(message.type, type, text);
    return message.data;
  }

  /** Whatever came before is dealt with, and the link lives. */
  async pingPong(): Promise<void> {
    const timestamp = Math.floor(Math.random() * 1e9);
    await this.send("ping", { timestamp });
    assert.deepEqual(await this.next("pong"), { timestamp });
  }

  /** The code of the Close, with nothing before it. */
  async closeCode(): Promise<number> {
    assert.equal(await within("Close", this.socket.receive()), null);
    return (await this.socket.closed).code;
  }
}

/** A link, and what is at its other end. */
export interface TestLink {
  readonly link: JsonLink;
  readonly peer: JsonPeer;
}

type Given = Partial<Omit<JsonLinkOptions, "socket" | "sweeper" | "onBug">>;

export async function withLink(
  options: Given & { role: "gateway" | "agent" },
  run: (ends: TestLink) => Promise<void>,
): Promise<void> {
  const sweeper = new Sweeper(10);
  const bugs: unknown[] = [];
  const made = Promise.withResolvers<JsonLink>();
  const server = await serve({ plainListen: "127.0.0.1:0" }, async (request) => {
    const socket = await request.accept();
    const onBug = (_: string, error: unknown) => void bugs.push(error);
    const link = new JsonLink({ socket, maxStreams: 100, sweeper, onBug, ...options });
    made.resolve(link);
    await link.closed;
  });
  try {
    const socket = await connectWebSocket(`ws://127.0.0.1:${server.plainPort}/`);
    const link = await made.promise;
    await run({ link, peer: new JsonPeer(socket) });
    await socket.close();
    await link.closed;
    assert.equal(link.streams, 0);
    assert.deepEqual(bugs, []);
  } finally {
    await server.stop();
    sweeper.stop();
  }
}
