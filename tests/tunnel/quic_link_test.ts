// A link by QUIC whose streams and control stream are in the test's hands: what goes by several
// streams comes in any order.
import assert from "node:assert/strict";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Cancel } from "../../src/net/cancel.ts";
import { pipe } from "../../src/net/pipe.ts";
import type { QuicConnection } from "../../src/net/quic.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import { encodePrefixed } from "../../src/protocol/tunnel/encode.ts";
import type { Frame } from "../../src/protocol/tunnel/frame.ts";
import { FrameStream } from "../../src/tunnel/frame_stream.ts";
import type { AskedStream } from "../../src/tunnel/mux_link.ts";
import { QuicLink } from "../../src/tunnel/quic_link.ts";
import { until } from "../support/until.ts";
import { within } from "../support/within.ts";

/** An agent's link, and its gateway's side of it. */
function agentLink() {
  const [control, theirs] = pipe();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const given: ByteStream[] = [];
  let wake = () => {};
  const quic = {
    closed: closed.promise,
    close: (code: number, reason: string) => closed.resolve({ code, reason }),
    async acceptStream() {
      while (given.length === 0) await new Promise<void>((resolve) => wake = resolve);
      return given.shift()!;
    },
  };
  const asked: AskedStream[] = [];
  const link = new QuicLink({
    quic: quic as unknown as QuicConnection,
    ...{ control: new FrameStream(theirs), maxStreams: 4 },
    onOpen: (_, one) => void asked.push(one),
    onBug: (_, error) => {
      throw error;
    },
  });
  const open = (): ByteStream => {
    const [ours, theirs] = pipe();
    given.push(theirs);
    wake();
    return ours;
  };
  const tell = (frame: Frame) => within("a write", control.write(encodePrefixed(frame)));
  return { link, asked, open, tell };
}

function openFrame(id: number): Uint8Array {
  const target = { protocol: "tcp", host: "a.example", port: 80 } as const;
  return encodePrefixed({ type: "open", id, windowBytes: 65_536, ...target });
}

const reset = (id: number): Frame => {
  return { type: "reset", id, code: TunnelCode.CONNECTION_FAILED, message: "given up" };
};

Deno.test("quic link: RESET before the answer gives the stream up, wherever its FIN is", async () => {
  const { link, asked, open, tell } = agentLink();
  await within("OPEN", open().write(openFrame(1)));
  await until("it is asked for", () => asked.length === 1);
  assert.equal(link.streams, 1);
  await tell(reset(1));
  assert.equal(asked[0].signal.aborted, true);
  assert.equal(asked[0].accept(), null);
  assert.equal(link.streams, 0);
  link.close("that was all");
});

Deno.test("quic link: a stream whose RESET comes before its OPEN is not asked for", async () => {
  const { link, asked, open, tell } = agentLink();
  await tell(reset(2));
  const stream = open();
  stream.write(openFrame(2)).catch(() => {});
  await assert.rejects(within("the end", stream.read()), { kind: "aborted" });
  const other = open();
  await within("OPEN", other.write(openFrame(3)));
  await until("the other", () => asked.length > 0);
  assert.equal(link.streams, 1);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].signal.aborted, false);
  link.close("that was all");
});

Deno.test("quic link: no more RESETs are remembered than there are streams at once", async () => {
  const { link, asked, open, tell } = agentLink();
  for (let id = 1; id <= 5; id++) await tell(reset(id));
  const streams = [1, 2, 3, 4, 5].map((id) => {
    const stream = open();
    stream.write(openFrame(id)).catch(() => {});
    return stream;
  });
  await until("the one that was forgotten", () => asked.length > 0);
  for (const stream of streams.slice(1)) {
    await assert.rejects(within("the end", stream.read()), { kind: "aborted" });
  }
  assert.equal(asked.length, 1);
  assert.equal(link.streams, 1);
  link.close("that was all");
});

Deno.test("quic link: who does not read how streams end, and has more of them end, is let go", async () => {
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const quic = {
    closed: closed.promise,
    close: (code: number, reason: string) => closed.resolve({ code, reason }),
    tryOpenStream: () => {
      const [ours, theirs] = pipe();
      const answer = async () => {
        await theirs.read();
        // Only then is OPEN written, as a pipe has it.
        theirs.read().catch(() => {});
        await theirs.write(encodePrefixed({ type: "opened", id: 1, windowBytes: 65_536 }));
      };
      answer().catch(() => {});
      return Promise.resolve(ours);
    },
  };
  // Nobody reads it.
  const [control] = pipe();
  const link = new QuicLink({
    ...{ quic: quic as unknown as QuicConnection, control: new FrameStream(control) },
    ...{ maxStreams: 4, onBug: (_, error) => assert.fail(String(error)) },
  });
  const target = { protocol: "tcp", host: "a.example", port: 80 } as const;
  const reject = async () => {
    for (let i = 0; i < 500; i++) (await link.open(target, new Cancel())).abort("given up");
  };
  await assert.rejects(within("a refusal", reject()), { kind: "lost" });
  assert.equal((await within("the end", link.closed)).reason, "Too many answers wait");
});
