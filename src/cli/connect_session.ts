import type { CloseOptions, Message, Socket, SocketEnd } from "../endpoint/socket.ts";
import type { ConnectEvent } from "./connect_format.ts";
import type { Input } from "./connect_input.ts";
import { parseBase64, parseTyped } from "./connect_slash.ts";

/** What `h3ws connect` does with a WebSocket that is open. */
export interface Course {
  /** Sent first. */
  readonly execute: readonly string[];
  /** How long to wait for messages before the end, behind `execute` or the end of the input. */
  readonly waitMs: { readonly behindExecute: number; readonly behindInput: number };
  /** It ends when so many came. */
  readonly maxMessages: number;
  /** So many are sent of the input. */
  readonly maxSent: number;
  readonly slash: boolean;
  readonly binary: boolean;
  readonly base64: boolean;
  /** Milliseconds between Pings; 0 for none. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

export interface Surroundings {
  /** `null` where nothing is read. */
  readonly input: Input | null;
  /** Shows an event; resolves when there is room for the next. */
  readonly emit: (event: ConnectEvent) => Promise<void>;
  /** Resolves when it is to end. */
  readonly stopped: Promise<void>;
  /** The code that it ends with then; default 1000. */
  readonly stopCode?: number;
  /** The payloads of Pings whose Pongs are shown with their time, for whoever is told of Pongs. */
  readonly ownPings: Set<string>;
}

/** How a session ended, and whether that was meant on this side. */
export interface SessionEnd {
  readonly end: SocketEnd;
  readonly isMeant: boolean;
}

interface Ending extends CloseOptions {
  readonly code?: number;
  readonly reason?: string;
}

/** What is still shown after a stop; then whoever does not read is not waited for. */
const SHOW_AFTER_STOP_MS = 250;

const NORMAL_CLOSURE = 1000;

/** Talks over one WebSocket until it has ended. */
export class Session {
  readonly #socket: Socket;
  readonly #course: Course;
  readonly #around: Surroundings;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #probes = 0;
  /** Messages that came, and whether one waits to be shown: then nothing is read. */
  #came = 0;
  #isHeldUp = false;
  #isMeant = false;
  #isOver = false;

  constructor(socket: Socket, course: Course, around: Surroundings) {
    this.#socket = socket;
    this.#course = course;
    this.#around = around;
  }

  /** Rejects with the error of the input, if that has one. */
  async run(): Promise<SessionEnd> {
    const { stopped } = this.#around;
    void stopped.then(() => this.#close(this.#around.stopCode));
    const receiving = this.#receive();
    void this.#ping();
    const sending = this.#send();
    const failed = new Promise<never>((_, reject) => sending.catch(reject));
    try {
      const end = await Promise.race([this.#socket.closed, failed]);
      await Promise.race([receiving, stopped.then(() => this.#after(SHOW_AFTER_STOP_MS))]);
      return { end, isMeant: this.#isMeant };
    } catch (error) {
      this.#close();
      await this.#socket.closed;
      throw error;
    } finally {
      this.#isOver = true;
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  /** Nothing more is shown. */
  #close(code?: number): void {
    this.#end({ code, keepMessages: false });
  }

  /** What still comes before the other side's Close is shown. */
  #finish(code?: number, reason?: string): void {
    this.#end({ code, reason, keepMessages: true });
  }

  #end({ code = NORMAL_CLOSURE, reason = "", keepMessages }: Ending): void {
    if (this.#isOver) return;
    this.#isMeant = true;
    void this.#socket.close(code, reason, { keepMessages });
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => this.#later(ms, resolve));
  }

  /** Gives what calls it off. */
  #later(ms: number, call: () => void): () => void {
    const forget = () => {
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
    const timer = setTimeout(() => {
      forget();
      call();
    }, ms);
    this.#timers.add(timer);
    return forget;
  }

  async #receive(): Promise<void> {
    const { maxMessages } = this.#course;
    for await (const data of this.#socket) {
      this.#came++;
      this.#isHeldUp = true;
      await this.#around.emit({ type: "message", data });
      this.#isHeldUp = false;
      if (this.#came === maxMessages) return this.#close();
    }
  }

  async #send(): Promise<void> {
    const { execute, waitMs } = this.#course;
    for (const text of execute) await this.say(text);
    if (execute.length > 0) void this.#closeAfter(waitMs.behindExecute);
    if (this.#around.input === null) return;
    if (await this.#sendInput(this.#around.input)) await this.#closeAfter(waitMs.behindInput);
  }

  /** Whether no more will be sent. */
  async #sendInput(input: Input): Promise<boolean> {
    const gone = this.#socket.closed.then(() => undefined);
    for (let sent = 0; sent < this.#course.maxSent; sent++) {
      const piece = await Promise.race([input.peek(), gone]);
      if (piece === undefined) return false;
      if (piece === null) return true;
      // What could not be sent is for the next socket.
      if (!await this.say(piece)) return false;
      input.take();
    }
    // What is typed has no end before Ctrl+D: there the answer is waited for.
    return this.#course.waitMs.behindInput > 0;
  }

  async #closeAfter(ms: number): Promise<void> {
    if (ms === Infinity) return;
    if (ms > 0) await this.#after(ms);
    this.#finish();
  }

  /** Whether it was said; what can't be, is told. */
  async say(piece: string | Uint8Array): Promise<boolean> {
    try {
      if (typeof piece !== "string") await this.#socket.send(piece);
      else if (this.#course.slash) await this.#sayTyped(piece);
      else await this.#sendLine(piece);
      return true;
    } catch {
      await this.#socket.closed;
      return false;
    }
  }

  async #sayTyped(line: string): Promise<void> {
    const typed = parseTyped(line);
    switch (typed.kind) {
      case "message":
        return await this.#sendLine(typed.text);
      case "ping":
        void this.#measure(typed.payload);
        return;
      case "pong":
        return await this.#socket.pong(typed.payload);
      case "close":
        return this.#finish(typed.code, typed.reason);
      case "wrong":
        return await this.#around.emit({ type: "note", text: typed.problem });
    }
  }

  async #sendLine(line: string): Promise<void> {
    const message = this.#messageOf(line);
    if (message !== null) return await this.#socket.send(message);
    await this.#around.emit({ type: "note", text: "not sent: that line is no base64" });
  }

  #messageOf(line: string): Message | null {
    const { binary, base64 } = this.#course;
    if (!base64) return binary ? new TextEncoder().encode(line) : line;
    return parseBase64(line);
  }

  async #ping(): Promise<void> {
    const { pingIntervalMs } = this.#course;
    while (pingIntervalMs > 0 && !this.#isOver) {
      await this.#after(pingIntervalMs);
      if (!this.#isOver) await this.#probe();
    }
  }

  /** Gives the socket up if its Pong does not come. */
  async #probe(): Promise<void> {
    const { pingTimeoutMs } = this.#course;
    let came = this.#came;
    let forget = () => {};
    const late = () => {
      // What came tells that the peer is there, and while a message waits no Pong can be heard.
      if (this.#isHeldUp || this.#came !== came) arm();
      else this.#socket.abort(`no Pong within ${pingTimeoutMs / 1000} s`);
    };
    const arm = () => {
      came = this.#came;
      forget = this.#later(pingTimeoutMs, late);
    };
    arm();
    await this.#measure(new TextEncoder().encode(`h3ws ${++this.#probes}`), () => forget());
    forget();
  }

  /** Sends a Ping and shows how long its Pong took; `heard` is called as soon as that is there. */
  async #measure(payload: Uint8Array, heard: () => void = () => {}): Promise<void> {
    const { ownPings, emit } = this.#around;
    const key = String(payload);
    ownPings.add(key);
    try {
      const rttMs = await this.#socket.ping(payload);
      heard();
      await emit({ type: "pong", payload, rttMs });
    } catch {
      // The socket has ended, which is told.
    } finally {
      ownPings.delete(key);
    }
  }
}
