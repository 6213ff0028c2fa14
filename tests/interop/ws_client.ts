// npm:ws as a client, which speaks HTTP/1.1 alone.
import type { IncomingMessage } from "node:http";
// @ts-types="@types/ws"
import { type ClientOptions, type RawData, WebSocket } from "ws";
import { Arrivals } from "./ends.ts";

export type WsClientEvent =
  | { type: "open" }
  | { type: "message"; data: string | Uint8Array }
  | { type: "ping"; data: string }
  | { type: "pong"; data: string }
  | { type: "close"; code: number; reason: string }
  /** The answer was none of 101. */
  | { type: "refused"; response: IncomingMessage };

export class WsClient {
  readonly socket: WebSocket;
  readonly #events: Arrivals<WsClientEvent> = new Arrivals<WsClientEvent>("at npm:ws");

  constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
    this.socket = new WebSocket(url, protocols, options);
    const tell = (event: WsClientEvent) => this.#events.put(event);
    this.socket.on("open", () => tell({ type: "open" }));
    this.socket.on("message", (data: RawData, isBinary) => {
      const bytes = new Uint8Array(data as Uint8Array);
      tell({ type: "message", data: isBinary ? bytes : new TextDecoder().decode(bytes) });
    });
    this.socket.on("ping", (data) => tell({ type: "ping", data: data.toString() }));
    this.socket.on("pong", (data) => tell({ type: "pong", data: data.toString() }));
    this.socket.on("close", (code, reason) => {
      tell({ type: "close", code, reason: reason.toString() });
    });
    this.socket.on("unexpected-response", (_request, response) => {
      tell({ type: "refused", response });
    });
    // A close comes behind it.
    this.socket.on("error", () => {});
  }

  /** The next event, in the order they came, which must be of this type. */
  expect<T extends WsClientEvent["type"]>(type: T): Promise<Extract<WsClientEvent, { type: T }>> {
    return this.#events.expect(type);
  }
}
