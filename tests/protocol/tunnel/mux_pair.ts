// One end of a link that talks to itself, and its owner, who does things at random. It keeps its own
// books of what may happen, and compares.
import assert from "node:assert/strict";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import type { Target } from "../../../src/protocol/tunnel/frame.ts";
import { Mux } from "../../../src/protocol/tunnel/mux.ts";
import type { MuxEvent } from "../../../src/protocol/tunnel/mux_receive.ts";
import type { MuxOptions } from "../../../src/protocol/tunnel/mux_state.ts";

/** How a stream ended at one end. */
export type Ending = "fin" | "reset by us" | "reset by the peer" | "refused";

/** One end of a stream, as its owner knows it. */
export interface Side {
  isOpen: boolean;
  /** What is to be sent yet, in bytes. */
  left: number;
  /** Bytes that were sent, or how often one of a datagram. */
  sent: number;
  received: number;
  /** The credit of what was sent, and of what was received and not consumed. */
  spent: number;
  unconsumed: number;
  consumed: number;
  finSent: boolean;
  finReceived: boolean;
  /** `null` while it is not over. */
  ending: Ending | null;
}

function byteAt(id: number, at: number): number {
  return (at * 7 + id + (at >> 8)) & 0xff;
}

/** The bytes of a stream are known by where they are, datagrams by their number. */
function bytesOf(id: number, start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => byteAt(id, start + i));
}

export class Owner {
  readonly mux: Mux;
  readonly windowBytes: number;
  readonly sides = new Map<number, Side>();
  /** What the peer has not been given yet. */
  wire: Uint8Array[] = [];
  /** Of each PING how many were sent, and of each PONG how many came. */
  pings = 0;
  pongs = 0;
  readonly #toSend: number;

  /** `toSend`: how many bytes go on each stream, unless it ends before. */
  constructor(options: MuxOptions, toSend: number) {
    this.mux = new Mux(options);
    this.windowBytes = options.windowBytes!;
    this.#toSend = toSend;
  }

  /** The streams that are not over, each with its identifier. */
  live(): [number, Side][] {
    return [...this.sides].filter(([, side]) => side.ending === null);
  }

  open(target: Target): void {
    if (!this.mux.canOpen) return;
    const id = this.mux.open(target);
    assert.ok(!this.sides.has(id));
    this.sides.set(id, this.#side());
  }

  /** Answers an OPEN: nothing where it was answered. */
  answer(id: number, isYes: boolean): void {
    const side = this.sides.get(id)!;
    if (side.isOpen || side.ending !== null) return;
    if (isYes) {
      assert.ok(this.mux.accept(id));
      side.isOpen = true;
    } else {
      assert.ok(this.mux.refuse(id, TunnelCode.CONNECTION_FAILED, "No"));
      side.ending = "refused";
    }
  }

  /** Sends `size` bytes at most, past the output or not. */
  send(id: number, size: number, past: boolean): void {
    const side = this.sides.get(id)!;
    const length = Math.min(size, side.left);
    const room = this.mux.sendable(id);
    if (!side.isOpen || side.finSent || side.ending !== null) {
      assert.equal(room, 0);
      return;
    }
    if (past) this.#sendPast(id, side, Math.min(length, room, this.mux.maxFrameBytes));
    else {
      const taken = this.mux.send(id, bytesOf(id, side.sent, length));
      assert.equal(taken, Math.min(length, room));
      this.#spent(side, taken);
    }
  }

  #sendPast(id: number, side: Side, length: number): void {
    if (length === 0) return;
    this.flush();
    const size = this.mux.dataHeader(id);
    const room = new Uint8Array(16 + length);
    room.set(bytesOf(id, side.sent, length), 16);
    this.mux.writeDataHeader(room, 16 - size, id);
    this.wire.push(room.subarray(16 - size));
    this.#spent(side, length);
  }

  #spent(side: Side, sent: number): void {
    side.sent += sent;
    side.spent += sent;
    side.left -= sent;
  }

  consume(id: number, credit: number): void {
    const side = this.sides.get(id)!;
    const size = Math.min(credit, side.unconsumed);
    side.unconsumed -= size;
    side.consumed += size;
    this.mux.consumed(id, size);
  }

  fin(id: number): void {
    const side = this.sides.get(id)!;
    const can = side.isOpen && !side.finSent && side.ending === null;
    assert.equal(this.mux.fin(id), can);
    if (!can) return;
    side.finSent = true;
    side.left = 0;
    if (side.finReceived) side.ending = "fin";
  }

  reset(id: number): void {
    const side = this.sides.get(id)!;
    assert.equal(this.mux.reset(id, TunnelCode.INTERNAL_ERROR, ""), side.ending === null);
    side.ending ??= "reset by us";
  }

  ping(): void {
    this.mux.ping(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    this.pings++;
  }

  /** What waits goes onto the wire. */
  flush(): void {
    this.wire.push(...this.mux.output());
    assert.equal(this.mux.outputBytes, 0);
  }

  /** Takes a message of those that the peer put on the wire, which holds only as long as that. */
  receive(from: Owner): void {
    const message = from.wire.shift();
    if (message === undefined) return;
    const own = message.slice();
    const event = this.mux.receive(own);
    if (event !== null) this.#take(event);
    own.fill(0xee);
  }

  #take(event: MuxEvent): void {
    if (event.type === "pong") this.pongs++;
    if (!("id" in event)) return;
    const { id } = event;
    if (event.type === "open") {
      assert.ok(!this.sides.has(id), "a stream is opened once");
      this.sides.set(id, this.#side());
      return;
    }
    const side = this.sides.get(id)!;
    assert.equal(side.ending, null, `${event.type} of stream ${id} after its end`);
    if (event.type === "opened") {
      assert.ok(!side.isOpen);
      side.isOpen = true;
    } else if (event.type === "data") this.#takeData(id, side, event.bytes);
    else if (event.type === "fin") {
      assert.ok(!side.finReceived);
      side.finReceived = true;
      if (side.finSent) side.ending = "fin";
    } else if (event.type === "refused") side.ending = "refused";
    else if (event.type === "reset") side.ending = "reset by the peer";
  }

  #takeData(id: number, side: Side, bytes: Uint8Array): void {
    assert.ok(side.isOpen && !side.finReceived);
    assert.deepEqual(bytes.slice(), bytesOf(id, side.received, bytes.length));
    side.received += bytes.length;
    side.unconsumed += bytes.length;
    assert.ok(side.unconsumed <= this.windowBytes, "what waits is bounded by the window");
  }

  #side(): Side {
    const counts = { sent: 0, received: 0, spent: 0, unconsumed: 0, consumed: 0 };
    const ends = { isOpen: false, finSent: false, finReceived: false, ending: null };
    return { left: this.#toSend, ...counts, ...ends };
  }
}
