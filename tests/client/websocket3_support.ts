// What the tables of WebSocket3 are made of.
import assert from "node:assert/strict";
import { within } from "../support/within.ts";
import type { TestServer } from "./websocket3_server.ts";

export type WebSocketClass = {
  new (url: string | URL, protocols?: string | string[]): WebSocket;
  readonly prototype: WebSocket;
  readonly CONNECTING: number;
  readonly OPEN: number;
  readonly CLOSING: number;
  readonly CLOSED: number;
};

/** What a case is run with: a class, and where the server is. */
export interface Given {
  readonly WebSocket: WebSocketClass;
  /** `ws://` or `wss://`, host and port. */
  readonly origin: string;
  readonly server: TestServer;
  /** A socket to that path, open, with what it has told since. */
  open(path: string, protocols?: string | string[]): Promise<Watched>;
  /** A socket to that path, that is being opened. */
  make(path: string, protocols?: string | string[]): Watched;
}

export interface Case {
  readonly name: string;
  /** What the `WebSocket` of Deno does in place of what the standard says. */
  readonly deno?: string;
  /** Whether a proxy tells it in another way. */
  readonly direct?: boolean;
  readonly run: (given: Given) => Promise<void> | void;
}

/** A socket, and the events that it has told. */
export interface Watched {
  readonly ws: WebSocket;
  readonly told: string[];
  /** The next event of that type, from now. */
  next(type: "open"): Promise<Event>;
  next(type: "error"): Promise<Event>;
  next(type: "message"): Promise<MessageEvent>;
  next(type: "close"): Promise<CloseEvent>;
}

const TYPES = ["open", "message", "error", "close"] as const;

export function watch(ws: WebSocket): Watched {
  const told: string[] = [];
  for (const type of TYPES) ws.addEventListener(type, () => told.push(type));
  const next = (type: string) => {
    const coming = new Promise<Event>((resolve) => {
      ws.addEventListener(type, (event: unknown) => resolve(event as Event), { once: true });
    });
    return within(`the event ${type}`, coming);
  };
  return { ws, told, next: next as Watched["next"] };
}

/** A case's world: what it opens is closed behind it. */
export async function withGiven(
  world: { WebSocket: WebSocketClass; origin: string; server: TestServer },
  run: Case["run"],
): Promise<void> {
  const made: WebSocket[] = [];
  const make = (path: string, protocols?: string | string[]) => {
    const ws = protocols === undefined
      ? new world.WebSocket(world.origin + path)
      : new world.WebSocket(world.origin + path, protocols);
    made.push(ws);
    return watch(ws);
  };
  const open = async (path: string, protocols?: string | string[]) => {
    const watched = make(path, protocols);
    await watched.next("open");
    return watched;
  };
  await run({ ...world, make, open });
  for (const ws of made) {
    if (ws.readyState === 3) continue;
    const { next } = watch(ws);
    const closed = next("close");
    ws.close();
    await closed;
  }
}

/** It throws a DOMException of that name. */
export function throwsDom(name: string, work: () => unknown): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof DOMException, `a DOMException, not ${error}`);
    assert.equal(error.name, name);
    return true;
  });
}

export function closeOf(event: CloseEvent): { code: number; reason: string; wasClean: boolean } {
  const { code, reason, wasClean } = event;
  return { code, reason, wasClean };
}

export const ABNORMAL = { code: 1006, reason: "", wasClean: false };
