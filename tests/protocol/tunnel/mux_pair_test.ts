// A gateway and an agent that talk to each other, with windows, limits, pieces and consumption at
// random, and streams that end anyhow: what is sent arrives once and in order, no window is passed,
// each stream ends once at both ends, and nothing is stuck in the end.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { MuxOptions } from "../../../src/protocol/tunnel/mux_state.ts";
import { type Ending, Owner, type Side } from "./mux_pair.ts";

/** What happens next: to which stream, at which end, how much of it. */
interface Act {
  readonly what: typeof ACTS[number];
  readonly which: number;
  readonly atGateway: boolean;
  readonly size: number;
}

const ACTS = [
  ...["open", "open udp", "yes", "yes", "no", "send", "send", "send past", "send past"],
  ...["consume", "consume", "fin", "reset", "ping", "flush", "flush"],
  ...["receive", "receive", "receive", "receive"],
] as const;

type Options = Required<Omit<MuxOptions, "role">>;

interface Run {
  readonly gateway: Options;
  readonly agent: Options;
  readonly toSend: number;
  readonly acts: readonly Act[];
}

/** More PING than answers may wait would break the link, and more streams than it takes at once. */
const MAX_PINGS = 6;
const MAX_OPENS = 10;

class Talk {
  readonly #gateway: Owner;
  readonly #agent: Owner;
  #pings = 0;

  constructor({ gateway, agent, toSend }: Run) {
    this.#gateway = new Owner({ role: "gateway", ...gateway }, toSend);
    this.#agent = new Owner({ role: "agent", ...agent }, toSend);
  }

  run(acts: readonly Act[]): Ending[] {
    for (const act of acts) {
      this.#act(act);
      this.#checkBooks();
    }
    // Then all that can happen does, until nothing does any more.
    for (let before = ""; before !== (before = this.#progress());) {
      this.#settle();
      this.#checkBooks();
    }
    return this.#checkEnd();
  }

  #act({ what, which, atGateway, size }: Act): void {
    const [one, other] = atGateway
      ? [this.#gateway, this.#agent] as const
      : [this.#agent, this.#gateway] as const;
    if (what === "open" || what === "open udp") return this.#open(what === "open" ? "tcp" : "udp");
    if (what === "flush") return one.flush();
    if (what === "receive") return one.receive(other);
    if (what === "ping") return void (this.#pings++ < MAX_PINGS && one.ping());
    const answers = what === "yes" || what === "no";
    const ids = [...(answers ? this.#agent : one).sides.keys()];
    if (ids.length === 0) return;
    const id = ids[which % ids.length];
    if (answers) this.#agent.answer(id, what === "yes");
    else if (what === "consume") one.consume(id, size);
    else if (what === "fin") one.fin(id);
    else if (what === "reset") one.reset(id);
    else one.send(id, size, what === "send past");
  }

  #open(protocol: "tcp" | "udp"): void {
    if (this.#gateway.sides.size >= MAX_OPENS) return;
    this.#gateway.open({ protocol, host: "a.example", port: 80 });
  }

  #settle(): void {
    const ends = [this.#gateway, this.#agent] as const;
    for (const [id] of this.#agent.live()) this.#agent.answer(id, true);
    for (const [at, end] of ends.entries()) {
      for (const [id, side] of end.live()) {
        end.consume(id, Infinity);
        end.send(id, 60_000, false);
        if (side.left === 0 && !side.finSent) end.fin(id);
      }
      end.flush();
      while (end.wire.length > 0) ends[1 - at].receive(end);
    }
  }

  /** What must hold at every moment. */
  #checkBooks(): void {
    for (const [one, other] of [[this.#gateway, this.#agent], [this.#agent, this.#gateway]]) {
      assert.equal(one.mux.streams, one.live().length);
      for (const [id, side] of one.sides) {
        const taken = other.sides.get(id)?.consumed ?? 0;
        assert.ok(side.spent - taken <= other.windowBytes, `stream ${id}: credit is passed`);
        const may = other.windowBytes - (side.spent - taken);
        assert.ok(one.mux.sendable(id) <= may, `stream ${id}: credit from nowhere`);
      }
    }
  }

  #progress(): string {
    const ends = [this.#gateway, this.#agent];
    return JSON.stringify(ends.map(({ sides, wire, mux }) => [
      ...[...sides.values()],
      wire.length,
      mux.outputBytes,
    ]));
  }

  #checkEnd(): Ending[] {
    const endings: Ending[] = [];
    const { sides } = this.#gateway;
    for (const [id, here] of sides) {
      assert.ok(here.ending !== null, `stream ${id} has no end at the gateway`);
      endings.push(here.ending);
      const there = this.#agent.sides.get(id);
      // An agent that has too many streams refuses by itself.
      if (there === undefined) assert.match(here.ending, /refused|reset by us/);
      else this.#checkStream(id, here, there);
    }
    assert.ok([...this.#agent.sides.keys()].every((id) => sides.has(id)));
    for (const end of [this.#gateway, this.#agent]) {
      assert.equal(end.mux.streams, 0);
      assert.equal(end.pongs, end.pings);
    }
    return endings;
  }

  #checkStream(id: number, here: Side, there: Side): void {
    assert.ok(there.ending !== null, `stream ${id} has no end at the agent`);
    for (const [from, to] of [[here, there], [there, here]]) {
      assert.ok(to.received <= from.sent);
      // Who was told of the end by FIN got all; who reset it wanted no more.
      if (to.finReceived) assert.equal(to.received, from.sent, `stream ${id}: some was lost`);
      if (to.ending === "reset by the peer") assert.equal(from.ending, "reset by us");
      if (to.ending === "fin") assert.notEqual(from.ending, "reset by the peer");
    }
    if (here.ending === "fin" && there.ending === "fin") {
      assert.deepEqual([here.left, there.left], [0, 0]);
    }
  }
}

/** Windows of a few bytes for little to send, and larger ones for more. */
function runs(least: number, most: number): fc.Arbitrary<Run> {
  const options: fc.Arbitrary<Options> = fc.record({
    windowBytes: fc.integer({ min: least, max: most }),
    maxStreams: fc.integer({ min: 1, max: 6 }),
    maxFrameBytes: fc.integer({ min: least, max: most }),
  });
  const act: fc.Arbitrary<Act> = fc.record({
    what: fc.constantFrom(...ACTS),
    which: fc.nat(MAX_OPENS),
    atGateway: fc.boolean(),
    size: fc.nat(most),
  });
  return fc.record({
    gateway: options,
    agent: options,
    toSend: fc.nat(4 * most),
    acts: fc.array(act, { minLength: 60, maxLength: 240, size: "max" }),
  });
}

const seen = new Set<string>();

for (
  const [name, least, most, numRuns] of [["tiny", 1, 20, 300], ["large", 900, 4000, 60]] as const
) {
  Deno.test(`mux pair: all arrives once, in order, within ${name} windows; all ends, once`, () => {
    fc.assert(
      fc.property(runs(least, most), (run) => {
        for (const ending of new Talk(run).run(run.acts)) seen.add(ending);
      }),
      { numRuns },
    );
  });
}

Deno.test("mux pair: streams ended in every way there is", () => {
  assert.deepEqual([...seen].sort(), ["fin", "refused", "reset by the peer", "reset by us"]);
});
