// Clients of every door of one proxy, in this process or another: they ask, and they open tunnels,
// in the same words whatever the version.
import assert from "node:assert/strict";
import { Opcode } from "../../src/protocol/websocket/opcode.ts";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { answerAt, RawH1 } from "./doors.ts";
import { fromClient } from "./frames.ts";
import { fromLatin1, Inbox, latin1 } from "./inbox.ts";
import { h2Data, RawH2 } from "./raw_h2.ts";
import { CLIENT_KEY, connectFields, dataFrame, RawClient } from "./raw_h3.ts";
import { until } from "./until.ts";

/** In clear text and by TLS; h3 by QUIC. */
export const DOOR_IDS = ["h1", "h1s", "h2c", "h2", "h3"] as const;
export type DoorId = typeof DOOR_IDS[number];
export const TLS_DOOR_IDS = ["h1s", "h2", "h3"] as const;

/** Where a proxy listens. */
export interface Ports {
  readonly port: number;
  readonly plainPort: number | null;
  readonly caPem: string;
}

export interface Asked {
  /** Default GET. */
  method?: string;
  /** Default `/`. */
  path?: string;
  /** Default `localhost`. */
  authority?: string;
  fields?: readonly Field[];
  /** Of an ordinary request, in latin1. */
  body?: string;
}

export interface AskedTunnel extends Asked {
  /** Default `websocket`; `null` for a plain CONNECT. */
  protocol?: string | null;
}

export interface DoorAnswer {
  readonly status: number;
  readonly fields: readonly Field[];
  get(name: string): string | null;
  readonly body: string;
}

/** An answer that may be a tunnel. */
export interface DoorTunnel extends DoorAnswer {
  readonly inbox: Inbox;
  send(bytes: Uint8Array): void;
  /** Ends our way. */
  fin(): void;
  /** Whether its connection is gone. */
  readonly isLost: boolean;
}

/** A proxy takes 128 streams on one connection; below it there is always room. */
const STREAMS_PER_CONNECTION = 100;

/** RFC 9110 §7.8, §9.3.6; RFC 8441 §5: 101 or 200. */
export function isOpen({ status }: DoorAnswer): boolean {
  return status === 101 || status === 200;
}

/** Sends a text and takes what comes back. */
export async function say(tunnel: DoorTunnel, text: string): Promise<string> {
  tunnel.send(fromClient.text(text));
  const frame = await tunnel.inbox.frame();
  assert.equal(frame?.opcode, Opcode.TEXT, `an answer to ${text}`);
  return new TextDecoder().decode(frame!.payload);
}

/** All that is opened is closed when it is disposed. */
export class DoorPeers implements AsyncDisposable {
  readonly #ports: Ports;
  readonly #open: { close(): unknown }[] = [];
  readonly #shared = new Map<DoorId, { client: Promise<RawH2 | RawClient>; streams: number }>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** An ordinary request, on a connection of its own over HTTP/1.1. */
  async ask(door: DoorId, asked: Asked = {}): Promise<DoorAnswer> {
    const { method = "GET", body } = asked;
    if (door === "h1" || door === "h1s") {
      const client = await this.h1(door);
      const framed = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
      client.send(`${headText(method, asked)}${framed}\r\n${body ?? ""}`);
      await until("an answer", () => answerAt(client.got, 0, method) !== null || client.isOver);
      return h1Answer(client, method);
    }
    const fields = [...connectFields(pseudoOf(method, null, asked)), ...asked.fields ?? []];
    if (door === "h3") {
      const stream = await (await this.#h3()).request(
        fields,
        body === undefined ? undefined : dataFrame(fromLatin1(body)),
      );
      await stream.fin();
      return await stream.answer();
    }
    const client = await this.#h2(door);
    const id = client.request(
      fields,
      body === undefined ? undefined : (id) => [h2Data(id, body, true)],
    );
    const { status, sections, body: text } = await client.over(id);
    return answerOf(status ?? 0, sections.at(-1) ?? [], text);
  }

  /** Asks for a tunnel. */
  async open(door: DoorId, asked: AskedTunnel = {}): Promise<DoorTunnel> {
    const { protocol = "websocket" } = asked;
    if (door === "h1" || door === "h1s") return await this.#openH1(door, { ...asked, protocol });
    const version: Field[] = isWebSocket(protocol) ? [["sec-websocket-version", "13"]] : [];
    const fields = [
      ...connectFields(pseudoOf("CONNECT", protocol, asked)),
      ...version,
      ...asked.fields ?? [],
    ];
    return door === "h3" ? await this.#openH3(fields) : await this.#openH2(door, fields);
  }

  /** A connection of its own. */
  async h1(door: "h1" | "h1s"): Promise<RawH1> {
    const client = door === "h1"
      ? await RawH1.connect(this.#plainPort)
      : await RawH1.connect(this.#ports.port, [this.#ports.caPem]);
    this.#open.push(client);
    return client;
  }

  async #openH1(
    door: "h1" | "h1s",
    { protocol, ...asked }: AskedTunnel & { protocol: string | null },
  ): Promise<DoorTunnel> {
    const client = await this.h1(door);
    const { authority = "localhost" } = asked;
    const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
    const handshake = isWebSocket(protocol)
      ? `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${CLIENT_KEY}\r\n`
      : "";
    client.send(
      protocol === null
        ? `${headText("CONNECT", { ...asked, path: authority })}\r\n`
        : `${headText("GET", asked)}${upgrade}${handshake}\r\n`,
    );
    await until("a head", () => client.got.includes("\r\n\r\n") || client.isOver);
    const end = client.got.indexOf("\r\n\r\n") + 4;
    const status = statusOf(client.got);
    if (status !== 101 && status !== 200) {
      await until("a refusal", () => answerAt(client.got) !== null || client.isOver);
    }
    let taken = end;
    const inbox = new Inbox("from the proxy", async () => {
      await until("bytes", () => client.got.length > taken || client.isOver);
      const more = client.got.slice(taken);
      taken = client.got.length;
      if (more !== "") return fromLatin1(more);
      if (client.isReset) throw new Error("The connection was reset");
      return null;
    });
    return {
      ...h1Answer(client, "GET"),
      inbox,
      send: (bytes) => client.send(bytes),
      fin: () => client.fin(),
      get isLost() {
        return client.isOver;
      },
    };
  }

  async #openH2(door: DoorId, fields: readonly Field[]): Promise<DoorTunnel> {
    const client = await this.#h2(door);
    const id = client.request(fields, () => []);
    const stream = await client.head(id);
    if (stream.status !== 200) await client.over(id);
    let taken = 0;
    const inbox = new Inbox("from the proxy", async () => {
      await until("DATA", () => stream.data.length > taken || stream.isOver || client.isClosed);
      if (stream.data.length > taken) return stream.data[taken++];
      if (!stream.ended) throw new Error("The stream was reset");
      return null;
    });
    return {
      ...answerOf(stream.status ?? 0, stream.sections[0] ?? [], stream.body),
      inbox,
      send: (bytes) => client.write(h2Data(id, bytes)),
      fin: () => client.write(h2Data(id, "", true)),
      get isLost() {
        return client.isClosed || stream.isOver;
      },
    };
  }

  async #openH3(fields: readonly Field[]): Promise<DoorTunnel> {
    const client = await this.#h3();
    const stream = await client.request(fields);
    const { status, fields: answer } = await stream.response();
    const body = status === 200 ? "" : latin1(await stream.inbox.rest());
    return {
      ...answerOf(status, answer, body),
      inbox: stream.inbox,
      send: (bytes) => void stream.send(bytes).catch(() => {}),
      fin: () => void stream.fin().catch(() => {}),
      get isLost() {
        return stream.inbox.ending !== null;
      },
    };
  }

  #h2(door: DoorId): Promise<RawH2> {
    const { port, caPem } = this.#ports;
    return this.#share(
      door,
      () =>
        door === "h2c"
          ? RawH2.connect({ port: this.#plainPort })
          : RawH2.connect({ port, caCerts: [caPem] }),
    );
  }

  #h3(): Promise<RawClient> {
    const { port, caPem } = this.#ports;
    return this.#share("h3", () => RawClient.connect({ port, caCerts: [caPem] }));
  }

  async #share<T extends RawH2 | RawClient>(door: DoorId, connect: () => Promise<T>): Promise<T> {
    let shared = this.#shared.get(door);
    if (shared === undefined || shared.streams >= STREAMS_PER_CONNECTION) {
      shared = { client: connect(), streams: 0 };
      this.#shared.set(door, shared);
    }
    shared.streams++;
    const client = await shared.client as T;
    if (!this.#open.includes(client)) this.#open.push(client);
    return client;
  }

  get #plainPort(): number {
    const { plainPort } = this.#ports;
    if (plainPort === null) throw new Error("The proxy has no door in clear text");
    return plainPort;
  }

  /** Ends all that is open. */
  async close(): Promise<void> {
    this.#shared.clear();
    for (const client of this.#open.splice(0)) {
      await client.close();
      if (client instanceof RawClient) await client.quic.closed;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function isWebSocket(protocol: string | null): boolean {
  return protocol?.toLowerCase() === "websocket";
}

function pseudoOf(method: string, protocol: string | null, asked: Asked) {
  const { path = "/", authority = "localhost" } = asked;
  const plainConnect = method === "CONNECT" && protocol === null;
  return {
    ...{ method, protocol, authority },
    scheme: plainConnect ? null : "https",
    path: plainConnect ? null : path,
  };
}

function headText(method: string, { path = "/", authority = "localhost", fields = [] }: Asked) {
  const lines = [["Host", authority], ...fields].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}`;
}

function statusOf(text: string): number {
  return Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(text)?.[1] ?? 0);
}

function h1Answer(client: RawH1, method: string): DoorAnswer {
  const [, ...lines] = client.got.slice(0, client.got.indexOf("\r\n\r\n")).split("\r\n");
  const fields = lines.map((line): Field => {
    const at = line.indexOf(":");
    return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
  });
  return answerOf(statusOf(client.got), fields, answerAt(client.got, 0, method)?.text ?? "");
}

function answerOf(status: number, fields: readonly Field[], body: string): DoorAnswer {
  const own = fields.filter(([name]) => !name.startsWith(":"));
  return { status, fields: own, get: (name) => getField(own, name), body };
}
