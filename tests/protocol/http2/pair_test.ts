// A client and a server that talk to each other, with windows, pieces and consumption at random: all
// bytes arrive, in order and once; no window is ever passed; nothing is stuck in the end.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { H2Code } from "../../../src/protocol/http2/codes.ts";
import type { H2Event } from "../../../src/protocol/http2/events.ts";
import { encodeRequest, encodeResponse } from "../../../src/protocol/http2/fields.ts";
import type { LocalSettings } from "../../../src/protocol/http2/options.ts";
import { Chance, End, type Flow, flowOf } from "./pair.ts";
import type { Field } from "../../../src/protocol/wire/field.ts";

interface Exchange {
  request: number;
  response: number;
  trailers: boolean;
  isTunnel: boolean;
  /** Whether the client resets it some time. */
  isReset: boolean;
}

interface Run {
  seed: number;
  client: Partial<LocalSettings>;
  server: Partial<LocalSettings>;
  exchanges: Exchange[];
}

class Talk {
  readonly #chance: Chance;
  readonly #client: End;
  readonly #server: End;
  readonly #waiting: Exchange[];
  readonly #open = new Map<number, Exchange>();
  readonly #responses = new Map<number, Flow>();
  readonly #cancelled = new Set<number>();

  constructor(run: Run) {
    this.#chance = new Chance(run.seed);
    this.#client = new End("client", run.client, this.#chance);
    this.#server = new End("server", run.server, this.#chance);
    this.#waiting = [...run.exchanges];
  }

  run(): void {
    // Something happens at random for a while, and all that can, until nothing does any more.
    for (let i = 0; i < 300; i++) this.#step(this.#chance.upTo(9));
    for (let before = ""; before !== (before = this.#progress());) {
      for (let step = 0; step <= 9; step++) this.#step(step, true);
    }
    this.#check();
  }

  #step(step: number, all = false): void {
    const client = this.#client;
    const server = this.#server;
    if (step === 0) this.#start();
    else if (step === 1) client.flush();
    else if (step === 2) server.flush();
    else if (step === 3) server.receive(client, (event) => this.#serve(event));
    else if (step === 4) client.receive(server, () => {});
    else if (step === 5) { for (const id of client.out.keys()) client.send(id); }
    else if (step === 6) { for (const id of server.out.keys()) server.send(id); }
    else if (step === 7) { for (const id of client.in.keys()) client.consume(id, all); }
    else if (step === 8) { for (const id of server.in.keys()) server.consume(id, all); }
    else if (!all && this.#chance.upTo(4) === 0) this.#cancel();
  }

  #start(): void {
    const { connection } = this.#client;
    // RFC 9113 §3.4: whoever opens streams before SETTINGS came may have some refused.
    const isKnown = connection.peerSettings.maxConcurrentStreams !== null;
    if (this.#waiting.length === 0 || !connection.canOpenStream || !isKnown) return;
    const exchange = this.#waiting.shift()!;
    const { request, response, trailers, isTunnel } = exchange;
    const lengths: Field[] = isTunnel ? [] : [["content-length", `${request}`]];
    const section = encodeRequest({
      method: isTunnel ? "CONNECT" : "POST",
      scheme: "https",
      authority: "a.example",
      path: `/${response}`,
      protocol: isTunnel ? "websocket" : null,
      fields: [...lengths, ["x-filler", "f".repeat(this.#chance.upTo(20_000))]],
    });
    const streamId = connection.openStream(section, false);
    this.#open.set(streamId, exchange);
    this.#client.out.set(streamId, flowOf(request, trailers && !isTunnel));
    this.#client.in.set(streamId, flowOf(response, trailers && !isTunnel));
    this.#server.in.set(streamId, this.#client.out.get(streamId)!);
    this.#responses.set(streamId, this.#client.in.get(streamId)!);
  }

  #serve(event: H2Event): void {
    if (event.type !== "request") return;
    const { streamId, head } = event;
    const { response } = this.#open.get(streamId)!;
    assert.equal(head.path, `/${response}`);
    const { connection } = this.#server;
    if (this.#chance.upTo(1) === 0) {
      connection.sendHeaders(streamId, encodeResponse(103, []), false);
    }
    connection.sendHeaders(streamId, encodeResponse(200, [["x-id", `${streamId % 9}`]]), false);
    this.#server.out.set(streamId, this.#responses.get(streamId)!);
  }

  #cancel(): void {
    for (const [streamId, { isReset }] of this.#open) {
      if (!isReset || this.#cancelled.has(streamId)) continue;
      this.#cancelled.add(streamId);
      this.#client.connection.reset(streamId, H2Code.CANCEL);
      this.#drop(this.#client, streamId);
      return;
    }
  }

  #drop(end: End, streamId: number): void {
    end.out.delete(streamId);
    end.in.delete(streamId);
  }

  /** What has been done, as text. */
  #progress(): string {
    for (const streamId of this.#server.resets) this.#drop(this.#server, streamId);
    const flows = [...this.#client.out.values(), ...this.#client.in.values()];
    const wires = [this.#client, this.#server].map(({ wire, connection }) =>
      wire.reduce((sum, bytes) => sum + bytes.length, connection.outputBytes)
    );
    return JSON.stringify([this.#waiting.length, wires, flows]);
  }

  #check(): void {
    assert.equal(this.#waiting.length, 0, "all requests were sent");
    for (const streamId of this.#open.keys()) {
      if (this.#cancelled.has(streamId)) continue;
      for (const flow of [this.#client.out.get(streamId)!, this.#client.in.get(streamId)!]) {
        assert.deepEqual(
          { ...flow },
          { ...flow, sent: flow.length, received: flow.length, ended: true, unconsumed: 0 },
          `stream ${streamId}`,
        );
      }
    }
    assert.equal(this.#client.connection.streams, 0);
    assert.equal(this.#server.connection.streams, 0);
  }
}

/** Windows of a few bytes for short bodies, and larger ones for long bodies. */
function runs(windows: fc.Arbitrary<number>, maxLength: number): fc.Arbitrary<Run> {
  const end: fc.Arbitrary<Partial<LocalSettings>> = fc.record({
    initialWindowBytes: windows,
    connectionWindowBytes: fc.integer({ min: 65535, max: 300_000 }),
    maxConcurrentStreams: fc.integer({ min: 1, max: 10 }),
    headerTableBytes: fc.constantFrom(0, 100, 4096, 65536),
  });
  const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.nat(maxLength));
  const exchange = fc.record({
    request: size,
    response: size,
    trailers: fc.boolean(),
    isTunnel: fc.boolean(),
    isReset: fc.boolean(),
  });
  return fc.record({
    seed: fc.nat(),
    client: end,
    server: end,
    exchanges: fc.array(exchange, { minLength: 1, maxLength: 6 }),
  });
}

const large = runs(fc.integer({ min: 2000, max: 200_000 }), 150_000);
const tiny = runs(fc.integer({ min: 1, max: 100 }), 400);

for (const [name, run, numRuns] of [["large", large, 40], ["tiny", tiny, 60]] as const) {
  Deno.test(`pair: all bytes arrive, no window is passed, nothing is stuck: ${name} windows`, () => {
    fc.assert(fc.property(run, (run) => new Talk(run).run()), { numRuns });
  });
}
