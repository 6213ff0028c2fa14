import { Buffer } from "node:buffer";
import type { Message } from "../endpoint/socket.ts";
import type { LoadClock } from "./load_clock.ts";
import { sizeOf } from "./load_payload.ts";
import type { Recorder } from "./load_recorder.ts";
import { dueAfterMs, type Schedule } from "./load_schedule.ts";

/** What a load needs of a socket: messages go out, and come back in their order. */
export interface EchoSocket {
  send(data: Message): Promise<void>;
  /** `null` when it has ended. */
  receive(): Promise<Message | null>;
}

/** What all sockets of a load share. */
export interface Work {
  readonly clock: LoadClock;
  readonly recorder: Recorder;
  /** Sent in turn. */
  readonly payloads: readonly Message[];
  /** When the load begins, and when it or the socket's part in it ends, by the clock. */
  readonly beginMs: number;
  readonly endMs: number;
  /** Fires when nothing more is to be sent, before its time. */
  readonly stop: AbortSignal;
  /** Whether one more message may be sent; each call takes one. */
  take(): boolean;
}

/** The echo is not what was sent: one more on this socket would tell nothing. */
export class WrongEcho extends Error {
  override name = "WrongEcho";
}

/**
 * The closed model: one message, its echo, a pause, and the next. What holds an echo back holds
 * back the messages after it, which so are never measured.
 */
export async function closedLoop(socket: EchoSocket, work: Work, thinkMs: number): Promise<void> {
  const { clock, recorder, payloads, endMs, stop } = work;
  for (let n = 0; !stop.aborted && clock.now() < endMs && work.take(); n++) {
    const payload = payloads[n % payloads.length];
    const sentMs = clock.now();
    recorder.sent(sentMs, sentMs, sizeOf(payload));
    let echo: Message | null = null;
    try {
      await socket.send(payload);
      echo = await socket.receive();
    } finally {
      if (echo === null) recorder.unanswered(sentMs);
    }
    if (echo === null) return;
    checkEcho(echo, payload);
    const bytes = sizeOf(payload);
    recorder.answered({ dueMs: sentMs, sentMs, nowMs: clock.now(), bytes });
    if (thinkMs > 0) await clock.sleep(Math.min(thinkMs, endMs - clock.now()), stop);
  }
}

/** Which messages of a schedule one socket sends: `next`, `next + step`, ... */
export interface Turn {
  readonly schedule: Schedule;
  /** Goes on as they are sent. */
  next: number;
  readonly step: number;
}

/**
 * The open model: each message goes out when it is due, whether or not the echoes before it have
 * come, and is measured from when it was due. So a server that stalls is seen to be late for all
 * who came meanwhile, though backpressure held their messages back.
 */
export async function openLoop(socket: EchoSocket, work: Work, turn: Turn): Promise<void> {
  const awaited = new Awaited();
  const sending = sendAll(socket, work, { turn, awaited });
  const receiving = receiveAll(socket, work, awaited);
  receiving.catch(() => {});
  // What can't be sent any more may still have echoes on their way: those end with the socket.
  const answered = sending.then(() => awaited.none(), () => receiving);
  try {
    await Promise.race([answered, receiving]);
  } finally {
    awaited.over = true;
    for (const { dueMs } of awaited.rest()) work.recorder.unanswered(dueMs);
  }
}

async function sendAll(
  socket: EchoSocket,
  { clock, recorder, payloads, beginMs, endMs, stop, take }: Work,
  { turn, awaited }: { turn: Turn; awaited: Awaited },
): Promise<void> {
  for (;;) {
    const n = turn.next;
    const dueMs = beginMs + dueAfterMs(n, turn.schedule);
    const wakesMs = Math.min(dueMs, endMs);
    // A timer counts from when its turn of the event loop began, and may fire too early.
    while (clock.now() < wakesMs && !stop.aborted) await clock.sleep(wakesMs - clock.now(), stop);
    if (dueMs >= endMs || stop.aborted || awaited.over || !take()) return;
    turn.next += turn.step;
    const payload = payloads[n % payloads.length];
    const sentMs = clock.now();
    awaited.add({ dueMs, sentMs, payload });
    recorder.sent(dueMs, sentMs, sizeOf(payload));
    await socket.send(payload);
  }
}

async function receiveAll(socket: EchoSocket, work: Work, awaited: Awaited): Promise<void> {
  for (;;) {
    const echo = await socket.receive();
    if (echo === null) return;
    const sent = awaited.take();
    if (sent === undefined) throw new WrongEcho("a message came that was not asked for");
    const { dueMs, sentMs, payload } = sent;
    checkEcho(echo, payload);
    const nowMs = work.clock.now();
    work.recorder.answered({ dueMs, sentMs, nowMs, bytes: sizeOf(payload) });
    awaited.taken();
  }
}

function checkEcho(echo: Message, payload: Message): void {
  const isSame = typeof echo === "string" || typeof payload === "string"
    ? echo === payload
    : Buffer.compare(echo, payload) === 0;
  if (isSame) return;
  throw new WrongEcho("the echo differs from what was sent");
}

/** A message whose echo has not come. */
interface Sent {
  dueMs: number;
  sentMs: number;
  payload: Message;
}

const KEPT = 1024;

/** The messages of one socket whose echoes have not come, the oldest first. */
class Awaited {
  /** Whether nobody waits for them any more. */
  over = false;
  #sent: Sent[] = [];
  #first = 0;
  #none: (() => void) | null = null;

  add(sent: Sent): void {
    this.#sent.push(sent);
  }

  take(): Sent | undefined {
    if (this.#first >= this.#sent.length) return undefined;
    const sent = this.#sent[this.#first++];
    if (this.#first >= KEPT) {
      this.#sent = this.rest();
      this.#first = 0;
    }
    return sent;
  }

  rest(): Sent[] {
    return this.#sent.slice(this.#first);
  }

  /** Resolves when there are none. */
  none(): Promise<void> {
    if (this.#first === this.#sent.length) return Promise.resolve();
    return new Promise((resolve) => this.#none = resolve);
  }

  /** One was taken, and is done with. */
  taken(): void {
    if (this.#first === this.#sent.length) this.#none?.();
  }
}
