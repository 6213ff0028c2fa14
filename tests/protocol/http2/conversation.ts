// A connection under test, and what is said to it and by it.
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { HpackDecoder } from "../../../src/protocol/hpack/decoder.ts";
import { h2CodeName, H2Error } from "../../../src/protocol/http2/codes.ts";
import { Http2Connection } from "../../../src/protocol/http2/connection.ts";
import type { H2Event } from "../../../src/protocol/http2/events.ts";
import { encodeResponse } from "../../../src/protocol/http2/fields.ts";
import type { Http2Options } from "../../../src/protocol/http2/options.ts";
import { dataText, frameLines, join, PREFACE, settings, SETTINGS_ACK } from "./support.ts";

/** What the owner does when it is told of something. */
export type Owner = (connection: Http2Connection, event: H2Event) => void;

/** Takes what comes, and answers each request that has ended with "hello". */
export const answering: Owner = (connection, event) => {
  if (event.type === "data") connection.consumed(event.streamId, event.bytes.length);
  if (event.type === "request" && event.head.method === "CONNECT") {
    connection.sendHeaders(event.streamId, encodeResponse(200, []), false);
  } else if (event.type === "trailers" || ("endStream" in event && event.endStream)) {
    connection.sendHeaders(event.streamId, encodeResponse(200, []), false);
    connection.sendData(event.streamId, new TextEncoder().encode("hello"), true);
  }
};

/** Takes what comes. */
export const silent: Owner = (connection, event) => {
  if (event.type === "data") connection.consumed(event.streamId, event.bytes.length);
};

/** A connection with its owner; what was told is in lines. */
export class Tester {
  readonly connection: Http2Connection;
  readonly #owner: Owner;
  readonly #decoder = new HpackDecoder();
  #events: string[] = [];

  constructor(options: Http2Options, owner: Owner = silent) {
    this.connection = new Http2Connection(options);
    this.#owner = owner;
  }

  /** A server, or a client, with the handshake behind it. */
  static ready(options: Http2Options, owner?: Owner): Tester {
    const tester = new Tester(options, owner);
    const first = [settings(), SETTINGS_ACK];
    tester.receive(...(options.role === "server" ? [PREFACE, ...first] : first));
    const sent = tester.connection.output();
    assert.ok(sent.length > 9);
    tester.#events = [];
    return tester;
  }

  /** Takes bytes of the peer in pieces as they are given; `false` when the connection broke. */
  receive(...chunks: Uint8Array[]): boolean {
    const { connection } = this;
    try {
      for (const chunk of chunks) {
        // A copy that is overwritten afterwards: views hold until the next push only.
        const own = chunk.slice();
        connection.push(own);
        assert.ok(connection.buffered <= connection.limit);
        for (let event = connection.next(); event !== null; event = connection.next()) {
          this.#tell(event);
          this.#owner(connection, event);
          assert.ok(connection.buffered <= connection.limit);
        }
        own.fill(0xee);
      }
      return true;
    } catch (error) {
      if (!(error instanceof H2Error)) throw error;
      assert.equal(error.scope, "connection");
      this.#events.push(`! ${h2CodeName(error.code)}`);
      assert.throws(() => connection.next(), error, "thrown ever after");
      assert.throws(() => connection.end(), error);
      connection.push(new Uint8Array(3));
      return false;
    }
  }

  /** The events since the last call. */
  events(): string[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** The frames that were sent since the last call. */
  sent(): string[] {
    return frameLines(this.connection.output().slice(), this.#decoder);
  }

  #tell(event: H2Event): void {
    const line = eventLine(event);
    const last = this.#events.length - 1;
    // Where data is cut doesn't matter.
    const start = `data ${"streamId" in event ? event.streamId : 0} `;
    if (event.type === "data" && this.#events[last]?.startsWith(start)) {
      this.#events[last] += line.slice(start.length);
    } else this.#events.push(line);
  }
}

/** A server whose windows, but for that of its streams, are as small as they can be. */
export function narrow(): Tester {
  const settings = { initialWindowBytes: 1 << 20, connectionWindowBytes: 65535 };
  return Tester.ready({ role: "server", settings }, () => {});
}

/** An event in one line. */
export function eventLine(event: H2Event): string {
  const end = "endStream" in event && event.endStream ? " END" : "";
  switch (event.type) {
    case "request":
      return `request ${event.streamId} ${event.head.method} ${event.head.path}${end}`;
    case "response":
    case "informational":
      return `${event.type} ${event.streamId} ${event.head.status}${end}`;
    case "data":
      return `data ${event.streamId} ${dataText(event.bytes)}${end}`;
    case "trailers":
      return `trailers ${event.streamId} ${event.fields.map((field) => field.join("="))}`;
    case "oversize":
    case "window":
      return `${event.type} ${event.streamId}${end}`;
    case "reset":
      return `reset ${event.streamId} ${h2CodeName(event.code)}`;
    case "streamError":
      return `streamError ${event.streamId} ${h2CodeName(event.error.code)}`;
    case "settings":
      return "settings";
    case "pong":
      return `pong ${String.fromCharCode(...event.payload)}`;
    case "goaway":
      return `goaway ${event.lastStreamId} ${h2CodeName(event.code)}`;
  }
}

/** What is said to a connection, and what comes of it. */
export interface Conversation {
  name: string;
  send: Uint8Array[];
  /** All frames that it sends. */
  sent: string[];
  /** All events; the error that ends the connection comes last, behind "!". */
  events?: string[];
}

export interface Setup {
  options: Http2Options;
  owner?: Owner;
  /** Makes an owner for each connection, which may remember something. */
  makeOwner?: () => Owner;
}

function run(
  { options, owner, makeOwner }: Setup,
  chunks: Uint8Array[],
): { sent: string[]; events: string[] } {
  const tester = Tester.ready(options, makeOwner?.() ?? owner);
  tester.receive(...chunks);
  return { sent: tester.sent(), events: tester.events() };
}

/** Whole, byte by byte and at random cuts: what comes of it MUST be the same. */
export function converse(setup: Setup, conversation: Conversation): void {
  const bytes = join(...conversation.send);
  const whole = run(setup, [bytes]);
  assert.deepEqual(whole.sent, conversation.sent);
  if (conversation.events !== undefined) assert.deepEqual(whole.events, conversation.events);
  assert.deepEqual(run(setup, conversation.send), whole, "frame by frame");
  if (bytes.length > 2000) return;
  const bytewise = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  assert.deepEqual(run(setup, bytewise), whole, "byte by byte");
  const places = fc.array(fc.nat(bytes.length), { maxLength: 6 });
  fc.assert(
    fc.property(places, (places) => {
      const at = [...new Set([0, ...places, bytes.length])].sort((a, b) => a - b);
      const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
      assert.deepEqual(run(setup, chunks), whole);
    }),
    { numRuns: 10 },
  );
}

/** A test for each. */
export function test(title: string, setup: Setup, conversations: Conversation[]): void {
  for (const conversation of conversations) {
    Deno.test(`${title}: ${conversation.name}`, () => converse(setup, conversation));
  }
}
