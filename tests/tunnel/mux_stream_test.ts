// A stream of frames whose peer gives little credit: what was written first goes first.
import assert from "node:assert/strict";
import { Mux } from "../../src/protocol/tunnel/mux.ts";
import type { MuxEvent } from "../../src/protocol/tunnel/mux_receive.ts";
import { MuxStream } from "../../src/tunnel/mux_stream.ts";
import { nextTurn } from "../../src/net/quic_stream.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

const WINDOW = 4096;

/** A stream of a gateway, and what an agent has of it that reads when it is told to. */
function openStream() {
  const options = { windowBytes: WINDOW, maxStreams: 4 };
  const gateway = new Mux({ role: "gateway", ...options });
  const agent = new Mux({ role: "agent", ...options });
  const came: MuxEvent[] = [];
  let stream: MuxStream | null = null;
  const receive = (message: Uint8Array) => {
    const event = agent.receive(message.slice());
    if (event?.type === "open") agent.accept(event.id);
    else if (event !== null) came.push(event);
    back();
  };
  const back = () => {
    for (const message of agent.output()) {
      const event = gateway.receive(message);
      if (event?.type === "credit") stream?.wake();
    }
  };
  const flush = () => {
    for (const message of gateway.output()) receive(message);
  };
  const id = gateway.open({ protocol: "tcp", host: "a.example", port: 1 });
  flush();
  const send = (message: Uint8Array) => {
    flush();
    receive(message);
    return Promise.resolve();
  };
  stream = new MuxStream(id, { mux: gateway, flush, send }, () => {});
  const read = () => {
    const bytes = came.flatMap((event) => event.type === "data" ? [...event.bytes] : []);
    const isEnded = came.some(({ type }) => type === "fin");
    came.length = 0;
    if (bytes.length > 0) agent.consumed(id, bytes.length);
    back();
    return { bytes, isEnded };
  };
  return { stream, read };
}

Deno.test("mux stream: writes that wait for credit go out in the order of the calls, and then FIN", async () => {
  const { stream, read } = openStream();
  const sizes = [10_000, 1, 5_000, 7];
  const writes = sizes.map((size, i) => stream.write(new Uint8Array(size).fill(i + 1)));
  const ended = stream.closeWrite();
  const got: number[] = [];
  await within(
    "all of it",
    (async () => {
      let isOver = false;
      await until("the end", () => {
        const { bytes, isEnded } = read();
        got.push(...bytes);
        isOver ||= isEnded;
        return isOver;
      });
      await Promise.all([...writes, ended]);
    })(),
  );
  assert.deepEqual(got, sizes.flatMap((size, i) => Array<number>(size).fill(i + 1)));
});

Deno.test("mux stream: all writes that wait end with it", async () => {
  const { stream } = openStream();
  const writes = [10_000, 1, 5_000].map((size) => stream.write(new Uint8Array(size)));
  await nextTurn();
  const all = Promise.allSettled([...writes, stream.closeWrite()]);
  stream.abort("enough");
  for (const one of await within("the end of all", all)) {
    assert.equal(one.status === "rejected" && one.reason.message, "enough");
  }
});

Deno.test("mux stream: a write whose stream ends before it is sent says why, and is no bug", async () => {
  const { stream } = openStream();
  const written = stream.write(new Uint8Array(64));
  stream.abort("idle");
  await assert.rejects(within("the end of the write", written), {
    kind: "aborted",
    message: "idle",
  });
});
