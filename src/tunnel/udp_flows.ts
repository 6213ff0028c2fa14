import type { ByteStream } from "../net/byte_stream.ts";
import { Cancel, type CancelSignal } from "../net/cancel.ts";
import { NetError } from "../net/error.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";
import { DatagramSplitter, frameDatagram } from "../net/udp_flow.ts";
import type { Agent } from "./agents.ts";
import type { Gateway } from "./gateway.ts";
import type { Asked } from "./observer.ts";
import type { IdleTimes } from "./relay.ts";
import { TunnelRefused } from "./target.ts";
import { oldestUnsettled, type PlacedFlow, type UdpPlaces } from "./udp_places.ts";

export interface UdpFlowsOptions extends IdleTimes {
  gateway: Gateway;
  sweeper: Sweeper;
  /** What they share with all others that lead to the same agents. */
  places: UdpPlaces;
  /** At once; for one more the oldest that is not settled ends, or its datagrams are dropped. */
  maxFlows: number;
  onBug: (where: string, error: unknown) => void;
}

/** What a flow is begun with. */
export interface UdpFlowBegin {
  ask: Omit<Asked, "id">;
  /** Only those, where it is not for any of the group. */
  agents?: readonly Agent[];
  /** Takes what comes back: a view that holds until it resolves. Never rejects. */
  send: (datagram: Uint8Array) => Promise<void>;
}

/** Datagrams wait for no one: above that they are dropped. */
const MAX_QUEUED = 64;
const MAX_QUEUED_BYTES = 128 * 1024;
/** For so long nobody is asked again for what was refused. */
const REFUSED_MS = 1_000;

/** The datagrams of one socket as connections through agents, one for each key. */
export class UdpFlows {
  readonly #options: UdpFlowsOptions;
  readonly #flows = new Map<string, Flow>();
  #closed = false;

  constructor(options: UdpFlowsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** Takes a datagram, or drops it; `begin` is asked where it is the first of its key. */
  push(key: string, datagram: Uint8Array, begin: () => UdpFlowBegin | null): void {
    if (this.#closed) return;
    const flow = this.#flows.get(key);
    if (flow !== undefined) return flow.push(datagram);
    const { places, maxFlows } = this.#options;
    if (this.#flows.size >= maxFlows && !this.#endOne()) return;
    const begun = begin();
    if (begun === null) return;
    const { ask, agents } = begun;
    const added = new Flow(begun.send);
    const leave = places.take({ group: ask.group, agents }, added);
    if (leave === null) return;
    this.#flows.set(key, added);
    added.push(datagram);
    void this.#run(key, added, begun).finally(leave);
  }

  /** Makes place for one. */
  #endOne(): boolean {
    const oldest = oldestUnsettled(this.#flows.values());
    oldest?.abort();
    return oldest !== null;
  }

  async #run(key: string, flow: Flow, { ask, agents }: UdpFlowBegin): Promise<void> {
    const { gateway, sweeper, onBug } = this.#options;
    // Those that are ended for others are not waited for.
    flow.signal.addEventListener("abort", () => {
      if (this.#flows.get(key) === flow) this.#flows.delete(key);
    });
    try {
      const connection = await gateway.open(ask, flow.signal, agents);
      await gateway.carry(connection, flow, this.#options);
    } catch (error) {
      if (!(error instanceof TunnelRefused)) onBug("udp flow", error);
      if (!flow.signal.aborted) await flow.rest(sweeper);
    }
    flow.abort();
  }

  /** Ends all of them. */
  close(): void {
    this.#closed = true;
    for (const flow of [...this.#flows.values()]) flow.abort();
  }
}

/** The datagrams of one key, as a stream of framed ones. */
class Flow implements ByteStream, PlacedFlow {
  readonly headroom = 0;
  readonly #send: (datagram: Uint8Array) => Promise<void>;
  readonly #ended = new Cancel();
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Datagrams of its client. */
  #pushed = 0;
  #isAnswered = false;
  #isResting = false;
  #wake: (() => void) | null = null;
  readonly #splitter = new DatagramSplitter();

  constructor(send: (datagram: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  /** Fires at its end. */
  get signal(): CancelSignal {
    return this.#ended;
  }

  get isSettled(): boolean {
    return this.#isAnswered && this.#pushed > 1;
  }

  push(datagram: Uint8Array): void {
    this.#pushed++;
    if (this.#isResting || this.#ended.aborted) return;
    if (this.#queue.length >= MAX_QUEUED) return;
    if (this.#queuedBytes + datagram.length > MAX_QUEUED_BYTES) return;
    this.#queue.push(frameDatagram(datagram));
    this.#queuedBytes += datagram.length;
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#ended.aborted) return null;
      const framed = this.#queue.shift();
      if (framed !== undefined) {
        this.#queuedBytes -= framed.length - FRAME_BYTES;
        return framed;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#splitter.push(bytes);
    for (let one = this.#splitter.next(); one !== null; one = this.#splitter.next()) {
      this.#isAnswered = true;
      await this.#send(one);
    }
  }

  /** UDP has no FIN: where nothing more comes back it is over. */
  closeWrite(): Promise<void> {
    this.abort();
    return Promise.resolve();
  }

  abort(): void {
    this.#queue.length = 0;
    this.#ended.abort(new NetError("aborted", "the flow has ended"));
    this.#wake?.();
  }

  /** Takes nothing for a while; resolves when that is over, or it was ended. */
  async rest(sweeper: Sweeper): Promise<void> {
    this.#isResting = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const deadline = new Deadline(sweeper, REFUSED_MS, resolve);
    this.#ended.addEventListener("abort", () => resolve());
    await promise;
    deadline.clear();
  }
}

const FRAME_BYTES = frameDatagram(new Uint8Array(0)).length;
