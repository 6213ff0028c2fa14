// A WebSocket by each door of TCP, made of raw bytes, so that what it sends can be wrong.
import assert from "node:assert/strict";
import type { Doors } from "./doors.ts";
import { Inbox } from "./inbox.ts";
import { h2Data, h2Ws, type RawH2 } from "./raw_h2.ts";
import { CLIENT_KEY } from "./raw_h3.ts";
import { until } from "./until.ts";
import { fromLatin1 } from "./inbox.ts";

export interface RawTunnel {
  send(bytes: Uint8Array): void;
  fin(): void;
  reset(): void;
  /** What comes of the tunnel. */
  readonly inbox: Inbox;
}

/** The head of an upgrade to a WebSocket. */
export function upgradeHead(path = "/ws"): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    "Host: a.example",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${CLIENT_KEY}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Asks for a WebSocket; resolves when it was accepted. */
export type OpenTunnel = (t: Doors) => Promise<RawTunnel>;

async function openH1(t: Doors, secure: boolean): Promise<RawTunnel> {
  const client = await (secure ? t.h1s() : t.h1());
  client.send(upgradeHead());
  await client.has("\r\n\r\n");
  assert.match(client.got, /^HTTP\/1\.1 101 /);
  let taken = client.got.indexOf("\r\n\r\n") + 4;
  return {
    send: (bytes) => client.send(bytes),
    fin: () => client.fin(),
    reset: () => client.reset(),
    inbox: new Inbox("from the proxy", async () => {
      await until("bytes", () => client.got.length > taken || client.isOver);
      const more = client.got.slice(taken);
      taken = client.got.length;
      return more === "" ? null : fromLatin1(more);
    }),
  };
}

/** On a stream of `client`. */
export async function openH2(client: RawH2): Promise<RawTunnel & { id: number }> {
  const id = client.request(h2Ws(), () => []);
  const stream = await client.head(id);
  assert.equal(stream.status, 200);
  let taken = 0;
  return {
    id,
    send: (bytes) => client.write(h2Data(id, bytes)),
    fin: () => client.write(h2Data(id, "", true)),
    reset: () => client.socket.destroy(),
    inbox: new Inbox("from the proxy", async () => {
      await until("DATA", () => stream.data.length > taken || stream.isOver || client.isClosed);
      if (stream.data.length > taken) return stream.data[taken++];
      if (!stream.ended) throw new Error("The stream was reset");
      return null;
    }),
  };
}

/** A WebSocket whose request is on its way, by each door. */
export const TUNNELS: Record<string, OpenTunnel> = {
  h1: (t) => openH1(t, false),
  h1s: (t) => openH1(t, true),
  h2c: async (t) => await openH2(await t.h2c()),
  h2: async (t) => await openH2(await t.h2()),
};
