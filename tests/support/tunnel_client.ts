// A client's side of a tunnel, the same for every HTTP version.
import type { Field } from "../../src/protocol/wire/field.ts";
import type { Inbox } from "./inbox.ts";

/** What is asked for. */
export interface TunnelRequest {
  /** What is to be spoken: "websocket", or anything else. */
  protocol: string;
  path: string;
  /** Beside those that every such request has; names in lower case. */
  fields?: readonly Field[];
  /** Bytes of the tunnel that go out in one write with the head, before any answer. */
  first?: Uint8Array;
}

/** A request that was answered; a tunnel if its status says so. */
export interface ClientTunnel {
  readonly status: number;
  /** Names in lower case. */
  readonly fields: readonly Field[];
  /** All of a refusal's content; rejects where it is not whole. */
  body(): Promise<string>;
  /** What comes through the tunnel, and how it ends. */
  readonly inbox: Inbox;
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our direction. */
  fin(): Promise<void>;
  /** Breaks both off. */
  reset(): void;
}

/** One client of a door: a connection, or one for each request where there can't be more on it. */
export interface TunnelClient {
  open(request: TunnelRequest): Promise<ClientTunnel>;
  /** Ends every connection, and waits until they are gone. */
  close(): Promise<void>;
}

/** The ways into the proxy. */
export interface Door {
  /** As the issue of a failure has it. */
  readonly id: "h1" | "h1s" | "h2c" | "h2" | "h3";
  readonly title: string;
  /** As records have it. */
  readonly http: "1.1" | "2" | "3";
  readonly secure: boolean;
  /** RFC 9110 §7.8: 101. RFC 8441 §5, RFC 9220 §3: any 2xx accepts an extended CONNECT. */
  readonly accepted: 101 | 200;
  /** Whether many tunnels share one connection. */
  readonly shared: boolean;
}

const H1 = { http: "1.1", accepted: 101, shared: false } as const;
const H2 = { http: "2", accepted: 200, shared: true } as const;
const H3 = { http: "3", accepted: 200, shared: true } as const;

export const DOORS: readonly Door[] = [
  { id: "h1", title: "HTTP/1.1", secure: false, ...H1 },
  { id: "h1s", title: "HTTP/1.1 with TLS", secure: true, ...H1 },
  { id: "h2c", title: "HTTP/2 by prior knowledge", secure: false, ...H2 },
  { id: "h2", title: "HTTP/2 with TLS", secure: true, ...H2 },
  { id: "h3", title: "HTTP/3", secure: true, ...H3 },
];
