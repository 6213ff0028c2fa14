// What the tunnel's frames cost: `deno bench tests/bench/tunnel_mux_bench.ts`. Each run does it for so
// many frames as the name says, with the CREDIT that goes with them, or for one stream.

import { encodeFrame, encodePrefixed } from "../../src/protocol/tunnel/encode.ts";
import { FrameDecoder } from "../../src/protocol/tunnel/frame_decoder.ts";
import { Mux } from "../../src/protocol/tunnel/mux.ts";

const FRAMES = 64;
const WINDOW = 0x7fffffff;
const HEADROOM = 16;
const TARGET = { protocol: "tcp", host: "a.example", port: 443 } as const;

/** Two ends, with a stream open between them, and `others` beside it. */
function openPair(windowBytes: number, others = 0): { gateway: Mux; agent: Mux } {
  const gateway = new Mux({ role: "gateway", windowBytes });
  const agent = new Mux({ role: "agent", windowBytes });
  for (let i = 0; i <= others; i++) agent.accept(gateway.open(TARGET) && move(gateway, agent));
  move(agent, gateway);
  return { gateway, agent };
}

/** Moves what waits at one end to the other; gives the last stream that was told of. */
function move(from: Mux, to: Mux): number {
  let id = 0;
  for (const message of from.output()) {
    const event = to.receive(message);
    if (event !== null && "id" in event) id = event.id;
  }
  return id;
}

for (
  const [name, length] of [["64 B", 64], ["1 KiB", 1024], ["16 KiB", 16384], [
    "64 KiB",
    65536,
  ]] as const
) {
  const payload = new Uint8Array(length).fill(0x5a);
  const group = `DATA of ${name}`;
  const target = new Uint8Array(FRAMES * length);

  Deno.bench({ name: `copy ${FRAMES} payloads of ${name}`, group, baseline: true }, () => {
    for (let i = 0; i < FRAMES; i++) target.set(payload, i * length);
  });

  let out = openPair(WINDOW);
  const spare = (room: number) => {
    if (out.gateway.sendable(1) < room) out = openPair(WINDOW);
    return out.gateway;
  };
  Deno.bench({ name: `send ${FRAMES} of ${name} by the output, a copy each`, group }, () => {
    const mux = spare(FRAMES * length);
    for (let i = 0; i < FRAMES; i++) {
      mux.send(1, payload);
      mux.output();
    }
  });

  // As a read would give it: with room before it.
  const room = new Uint8Array(HEADROOM + length);
  Deno.bench({ name: `send ${FRAMES} of ${name} past the output, no copy`, group }, () => {
    const mux = spare(FRAMES * length);
    for (let i = 0; i < FRAMES; i++) {
      if (mux.sendable(1) < length) throw new Error("no credit");
      const at = HEADROOM - mux.dataHeader(1);
      mux.writeDataHeader(room, at, 1);
      room.subarray(at);
    }
  });

  const message = encodeFrame({ type: "data", id: 1, bytes: payload });
  for (const others of [0, 5000]) {
    const { agent } = openPair(0x40000, others);
    const beside = others === 0 ? "" : ` beside ${others} streams`;
    Deno.bench({ name: `receive ${FRAMES} of ${name}${beside}`, group }, () => {
      for (let i = 0; i < FRAMES; i++) {
        const event = agent.receive(message);
        if (event?.type === "data") agent.consumed(1, event.bytes.length);
      }
      if (agent.outputBytes > 0) agent.output();
    });
  }

  const prefixed = encodePrefixed({ type: "data", id: 1, bytes: payload });
  const decoder = new FrameDecoder();
  Deno.bench({ name: `read ${FRAMES} of ${name} with their lengths`, group }, () => {
    for (let i = 0; i < FRAMES; i++) {
      decoder.push(prefixed);
      while (decoder.next() !== null);
    }
  });
}

const { gateway, agent } = openPair(0x40000);
Deno.bench("a stream from OPEN to FIN, 64 B each way, both ends", () => {
  const id = gateway.open(TARGET);
  move(gateway, agent);
  agent.accept(id);
  move(agent, gateway);
  gateway.send(id, SMALL);
  gateway.fin(id);
  move(gateway, agent);
  agent.send(id, SMALL);
  agent.fin(id);
  move(agent, gateway);
});
const SMALL = new Uint8Array(64);
