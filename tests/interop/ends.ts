// A WebSocket between the library and a peer that is none of ours, held at both of its ends.
import type { Message } from "../../src/endpoint/message.ts";
import type { Socket } from "../../src/endpoint/socket.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { within } from "../support/within.ts";

/** What came to the peer, in the order it came. */
export type Came =
  /** `received` is how many bytes had come by then. */
  | { type: "message"; data: Message; received: number }
  | { type: "ping"; data: string }
  | { type: "pong"; data: string }
  /** 1005 for a Close without code, 1006 for none. */
  | { type: "close"; code: number; reason: string };

/** Of one type. */
export type CameOf<T extends Came["type"]> = Extract<Came, { type: T }>;

export interface SendForm {
  /** How many frames it goes in. */
  fragments?: number;
  /** A Ping behind the first of them. */
  ping?: string;
}

/** The peer's end. */
export interface TheirEnd {
  readonly protocol: string;
  /** Whether permessage-deflate was agreed on. */
  readonly deflate: boolean;
  /** What the other side's head had. */
  readonly headers: Headers;
  /** With its query; of a server alone. */
  readonly path: string;
  send(data: Message, form?: SendForm): void | Promise<void>;
  ping(data: string): void | Promise<void>;
  /** Without a code it is an empty Close. */
  close(code?: number, reason?: string): void | Promise<void>;
  /** Bytes of the WebSocket as they are. */
  raw(bytes: Uint8Array): void | Promise<void>;
  /** Ends the stream without a Close. */
  fin(): void | Promise<void>;
  /** Resets it. */
  abort(): void | Promise<void>;
  /** The next that came, which must be of this type. */
  expect<T extends Came["type"]>(type: T): Promise<CameOf<T>>;
}

/** How a WebSocket is asked for. */
export interface Asked {
  path: string;
  protocols: string[];
  deflate: boolean;
  headers: Field[];
}

export const NOTHING: Asked = { path: "/", protocols: [], deflate: false, headers: [] };

/** A client that is none of ours. */
export interface ClientPeer extends AsyncDisposable {
  open(asked: Asked): Promise<TheirEnd>;
  /** The answer that is none of a WebSocket. */
  refused(asked: Asked): Promise<{ status: number; body: string }>;
  /** Ends its connections at once, without a Close on any of its sockets. */
  leave(): Promise<void>;
}

/** A server that is none of ours: it takes chat.v1, and refuses /refused with 403 and "not you". */
export interface ServerPeer extends AsyncDisposable {
  /** "wss://localhost:1234" */
  readonly origin: string;
  /** The next WebSocket. */
  accept(): Promise<TheirEnd>;
  /** Ends as a client's does. */
  leave(): Promise<void>;
  /** How many connections brought the WebSockets that came. */
  connections(): number;
}

/** A WebSocket at both of its ends. */
export interface Pair {
  ours: Socket;
  theirs: TheirEnd;
  /** What our end heard of. */
  pings: string[];
  pongs: string[];
  /** Of the request, as the server's side saw it; the path with its query. */
  asked: { path: string; headers: Headers };
  /** Of the answer, as the client's side saw it. */
  answered: Headers;
}

export const SUBPROTOCOL = "chat.v1";
export const REFUSAL = "not you\n";
/** Each answer has it. */
export const ANSWER: Field = ["x-answer", "yes"];

/** What came of anything, taken in its order. */
export class Arrivals<T extends { type: string }> {
  readonly #where: string;
  readonly #all: T[] = [];
  #wake = Promise.withResolvers<void>();

  constructor(where: string) {
    this.#where = where;
  }

  put(came: T): void {
    this.#all.push(came);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async next(what: string): Promise<T> {
    while (this.#all.length === 0) await within(`${what} ${this.#where}`, this.#wake.promise);
    return this.#all.shift()!;
  }

  /** The next, which must be of this type. */
  async expect<K extends T["type"]>(type: K): Promise<Extract<T, { type: K }>> {
    const came = await this.next(type);
    if (came.type !== type) {
      throw new Error(`Expected ${type} ${this.#where}, got ${JSON.stringify(came).slice(0, 200)}`);
    }
    return came as Extract<T, { type: K }>;
  }
}

export function toHeaders(fields: Iterable<readonly [string, unknown]>): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) {
    if (typeof name !== "string" || name.startsWith(":")) continue;
    for (const one of [value].flat()) headers.append(name, String(one));
  }
  return headers;
}
