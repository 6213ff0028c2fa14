import assert from "node:assert/strict";
import { H2Connection } from "../../src/ingress/h2_connection.ts";
import type { Offer } from "../../src/ingress/offer.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { Sweeper } from "../../src/net/sweeper.ts";
import { HpackEncoder } from "../../src/protocol/hpack/encoder.ts";
import {
  CLIENT_PREFACE,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  readFrameHeader,
} from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import { h2Data, h2Frame, h2Get, h2Settings, h2Ws, SETTINGS_ACK } from "../support/h2_frames.ts";
import { within } from "../support/within.ts";

/** A client whose chunks come one by one, each once the writes behind the one before are over. */
class Told implements ByteStream {
  readonly headroom = 0;
  /** Copies of what was written, each by itself. */
  readonly writes: Uint8Array[] = [];
  readonly #chunks: Uint8Array[];

  constructor(chunks: Uint8Array[]) {
    this.#chunks = chunks;
  }

  async read(): Promise<Uint8Array | null> {
    // What is ready within a turn of the loop goes out in the next.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    return this.#chunks.shift() ?? null;
  }

  write(bytes: Uint8Array): Promise<void> {
    this.writes.push(bytes.slice());
    return Promise.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  abort(): void {}
}

/** Serves what comes in these chunks; gives what was written. */
async function serve(
  chunks: Uint8Array[],
  onOffer: (offer: Offer) => Promise<void>,
): Promise<Uint8Array[]> {
  const stream = new Told([concat([CLIENT_PREFACE, h2Settings([]), SETTINGS_ACK]), ...chunks]);
  const sweeper = new Sweeper(1000);
  const bugs: unknown[] = [];
  const connection = new H2Connection({
    stream,
    ...{ remote: "192.0.2.1:1", secure: false, alpn: null, serverName: null },
    clientCertificate: null,
  }, {
    h2: { enableConnectProtocol: true },
    ...{ maxHeaderBytes: 16_384, headTimeoutMs: 60_000, idleTimeoutMs: 60_000 },
    ...{ writeTimeoutMs: 60_000, sweeper, onOffer },
    onHeadRefused: () => {},
    onPeerError: (error) => bugs.push(error),
    onBug: (_where, error) => bugs.push(error),
  });
  await within("the connection's end", connection.run());
  sweeper.stop();
  assert.deepEqual(bugs, []);
  return stream.writes;
}

/** The types of the frames in one write. */
function typesOf(bytes: Uint8Array): number[] {
  const types: number[] = [];
  const header = { length: 0, type: 0, flags: 0, streamId: 0 };
  for (let at = 0; at < bytes.length; at += FRAME_HEADER_BYTES + header.length) {
    readFrameHeader(bytes, at, header);
    types.push(header.type);
  }
  return types;
}

const STREAMS = 50;
const { HEADERS, DATA } = FrameType;

Deno.test("h2 door: the answers to requests that came in one turn go out in one write", async () => {
  const encoder = new HpackEncoder();
  const requests = Array.from({ length: STREAMS }, (_, i) => {
    const flags = Flag.END_HEADERS | Flag.END_STREAM;
    return h2Frame([HEADERS, flags], 2 * i + 1, encoder.encode(h2Get("/x")));
  });
  const writes = await serve(
    [concat(requests)],
    (offer) => offer.respond(200, [["x", "y"]], new Uint8Array(10)),
  );
  const answers = writes.map(typesOf).filter((types) => types.includes(HEADERS));
  assert.deepEqual(answers, [Array.from({ length: STREAMS }, () => [HEADERS, DATA]).flat()]);
});

Deno.test("h2 door: what tunnels send within one turn goes out in one write", async () => {
  const encoder = new HpackEncoder();
  const ids = Array.from({ length: STREAMS }, (_, i) => 2 * i + 1);
  const opened = ids.map((id) => h2Frame([HEADERS, Flag.END_HEADERS], id, encoder.encode(h2Ws())));
  const said = ids.map((id) => h2Data(id, "hello"));
  const ended = ids.map((id) => h2Data(id, "", true));
  const writes = await serve([concat(opened), concat(said), concat(ended)], async (offer) => {
    const tunnel = await offer.accept([]);
    for (let chunk = await tunnel.read(); chunk !== null; chunk = await tunnel.read()) {
      await tunnel.write(chunk);
    }
    await tunnel.closeWrite();
  });
  const echoes = writes.map(typesOf).map((types) => types.filter((type) => type === DATA).length);
  assert.deepEqual(echoes.filter((count) => count > 0), [STREAMS, STREAMS]);
});
