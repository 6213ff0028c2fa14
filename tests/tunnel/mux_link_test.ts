// A link of frames whose socket is in the test's hands, and takes nothing until it may.
import assert from "node:assert/strict";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { decodeFrame } from "../../src/protocol/tunnel/decode.ts";
import { encodeFrame } from "../../src/protocol/tunnel/encode.ts";
import type { Frame } from "../../src/protocol/tunnel/frame.ts";
import type { SocketEnd } from "../../src/endpoint/options.ts";
import { type LinkSocket, MuxLink } from "../../src/tunnel/mux_link.ts";
import { TunnelRefused } from "../../src/tunnel/target.ts";
import { nextTurn } from "../../src/net/quic_stream.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

/** What it was given to send waits in `sending`. */
class StuckSocket implements LinkSocket {
  readonly http = "1.1";
  readonly sending: { frame: Frame; taken: () => void }[] = [];
  readonly #closed = Promise.withResolvers<SocketEnd>();
  readonly closed = this.#closed.promise;
  readonly #came: Uint8Array[] = [];
  #wake = () => {};
  /** How many messages the link has read. */
  read = 0;

  say(...frames: Frame[]): void {
    this.#came.push(...frames.map(encodeFrame));
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = this.#came.shift();
      if (message !== undefined) {
        yield message;
        this.read++;
      } else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  send(message: Uint8Array): Promise<void> {
    return new Promise((taken) => this.sending.push({ frame: decodeFrame(message)!, taken }));
  }

  close(code: number, reason: string): Promise<void> {
    this.#closed.resolve({ by: "us", code, reason, wasClean: false });
    return Promise.resolve();
  }
}

function linkOf(socket: LinkSocket, role: "gateway" | "agent"): MuxLink {
  return new MuxLink({
    ...{ socket, role, windowBytes: 65_536, maxStreams: 1_000 },
    onOpen: (_, asked) => asked.refuse(new TunnelRefused(TunnelCode.FORBIDDEN_HOST, "no")),
    onBug: (_, error) => {
      throw error;
    },
  });
}

const ping = (n: number): Frame => ({ type: "ping", payload: new Uint8Array(8).fill(n) });

Deno.test("mux link: who reads no PONG has one on its way and the newest behind it, not all of them", async () => {
  const socket = new StuckSocket();
  const link = linkOf(socket, "gateway");
  for (let i = 0; i < 500; i++) socket.say(ping(i & 0xff));
  await until("all PINGs", () => socket.read === 500);
  const pongs = () => socket.sending.map(({ frame }) => frame.type === "pong" && frame.payload[0]);
  assert.deepEqual(pongs(), [0]);
  socket.sending[0].taken();
  await nextTurn();
  assert.deepEqual(pongs(), [0, 499 & 0xff]);
  socket.sending[1].taken();
  socket.say(ping(7));
  await until("the next", () => socket.sending.length === 3);
  assert.deepEqual(pongs(), [0, 499 & 0xff, 7]);
  link.close("that was all");
});

Deno.test("mux link: who asks on and reads no answer is let go: no more wait than there can be streams", async () => {
  const socket = new StuckSocket();
  const link = linkOf(socket, "agent");
  const target = { protocol: "tcp", host: "a.example", port: 80 } as const;
  for (let id = 1; id <= 1_200; id++) socket.say({ type: "open", id, windowBytes: 1, ...target });
  let isOver = false;
  void link.over.then(() => isOver = true);
  await until("an end", () => isOver || socket.read === 1_200);
  link.close("all was taken");
  assert.equal((await within("the end", link.over)).reason, "Too many answers wait");
});
