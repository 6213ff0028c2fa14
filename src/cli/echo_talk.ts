import type { Socket } from "../endpoint/socket.ts";
import type { Message } from "../endpoint/message.ts";
import { pause } from "../net/pause.ts";
import type { WebSocketRequest } from "../server/request.ts";
import { KnobError, type KnobMode, type Knobs, readKnobs } from "./echo_knobs.ts";

/** Sends back what comes, or does what the query says; 400 where that can't be done. */
export async function echoByKnobs(request: WebSocketRequest, mode: KnobMode): Promise<void> {
  const knobs = knobsOf(request, mode);
  if (typeof knobs === "string") return await request.reject(400, {}, `${knobs}\n`);
  // To a client that is gone it is answered in vain, which is told as such.
  if (knobs.handshakeDelayMs !== undefined) await pause(knobs.handshakeDelayMs, request.signal);
  const { refusal } = knobs;
  if (refusal !== undefined) {
    const { status, body, retryAfterSeconds } = refusal;
    const headers: HeadersInit = retryAfterSeconds === undefined
      ? {}
      : { "retry-after": String(retryAfterSeconds) };
    return await request.reject(status, headers, body);
  }
  const protocol = knobs.protocol ?? request.subprotocols[0];
  const socket = await request.accept({ protocol, unoffered: true });
  await new Talk(socket, knobs).run();
}

function knobsOf({ queryString }: WebSocketRequest, mode: KnobMode): Knobs | string {
  try {
    return readKnobs(queryString, mode);
  } catch (error) {
    if (error instanceof KnobError) return error.message;
    throw error;
  }
}

/** `false` when `over` has fired before. */
async function passed(ms: number, over: AbortSignal): Promise<boolean> {
  await pause(ms, over);
  return !over.aborted;
}

/** What is said on one socket. */
class Talk {
  readonly #socket: Socket;
  readonly #knobs: Knobs;
  readonly #over: AbortSignal;
  /** With those on their way. */
  #sent = 0;
  #filler: { text: string; bytes: Uint8Array } | null = null;

  constructor(socket: Socket, knobs: Knobs) {
    this.#socket = socket;
    this.#knobs = knobs;
    const over = new AbortController();
    this.#over = over.signal;
    void socket.closed.then(() => over.abort());
  }

  /** Resolves when the socket has ended. */
  async run(): Promise<void> {
    if (this.#knobs.end?.after === 0) return await this.#end();
    // What a client that went would be told is nobody's fault.
    const besides = [this.#ping(), this.#push()].map((work) => work.catch(() => {}));
    await this.#echo();
    await this.#socket.closed;
    await Promise.all(besides);
  }

  async #echo(): Promise<void> {
    const { stallMs = 0, delayMs = 0 } = this.#knobs;
    if (!await passed(stallMs, this.#over)) return;
    for await (const message of this.#socket) {
      if (!await passed(delayMs, this.#over)) return;
      await this.#send(message);
    }
  }

  async #ping(): Promise<void> {
    const { pingIntervalMs } = this.#knobs;
    if (pingIntervalMs === undefined) return;
    while (await passed(pingIntervalMs, this.#over)) await this.#socket.ping();
  }

  async #push(): Promise<void> {
    const { push } = this.#knobs;
    if (push === undefined) return;
    for (let i = 1; i <= push.count; i++) {
      if (i > 1 && !await passed(push.intervalMs, this.#over)) return;
      await this.#send(String(i));
    }
  }

  async #send(message: Message): Promise<void> {
    const { end } = this.#knobs;
    if (end !== undefined && this.#sent >= end.after) return;
    const isLast = ++this.#sent === end?.after;
    await this.#socket.send(this.#shaped(message));
    if (isLast) await this.#end();
  }

  #shaped(message: Message): Message {
    const { sizeBytes, type = typeof message === "string" ? "text" : "binary" } = this.#knobs;
    if (sizeBytes !== undefined) {
      const { text, bytes } = this.#filler ??= fillerOf(sizeBytes);
      return type === "text" ? text : bytes;
    }
    if (type === "text") {
      return typeof message === "string" ? message : new TextDecoder().decode(message);
    }
    return typeof message === "string" ? new TextEncoder().encode(message) : message;
  }

  async #end(): Promise<void> {
    const { close } = this.#knobs.end!;
    if (close === null) this.#socket.abort("dropped, as the query says");
    else await this.#socket.close(close.code, close.reason);
  }
}

function fillerOf(length: number): { text: string; bytes: Uint8Array } {
  return { text: "x".repeat(length), bytes: new Uint8Array(length).fill(0x78) };
}
