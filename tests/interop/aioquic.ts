// aioquic, driven line by line through tests/interop/aioquic_client.py.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Frame } from "../../src/protocol/websocket/encoder.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { testCertificates, type TestProxy } from "../support/proxy.ts";
import type { PeerFrame, PeerSocket } from "./flows.ts";
import { PeerProcess } from "./peer_process.ts";

/** What aioquic tells of what came; the fields are those of the one event. */
export interface AioquicEvent {
  event: string;
  stream?: number;
  /** Of "connected". */
  alpn?: string;
  /** Of "headers". */
  fields?: Record<string, string>;
  /** Of "requested": whether the server's SETTINGS had come by then. */
  settings?: boolean;
  /** Of "settings". */
  values?: Record<string, number>;
  /** Of "frame". */
  opcode?: number;
  rsv?: number;
  /** Payload of "frame" and "data". */
  hex?: string;
  /** Of "goaway". */
  id?: number;
  /** Of "closed", "reset" and "stop". */
  code?: number;
  /** Of "closed". */
  reason?: string;
  by?: "client" | "server";
  application?: boolean;
}

export interface AioquicOptions {
  python: string;
  port: number;
  caPem: string;
  /** QUIC alone: what is sent is all up to the test. */
  raw?: boolean;
  /** A request in one flight with the end of the handshake. */
  early?: readonly Field[];
}

/** One QUIC connection of aioquic's, in a process of its own. */
export class Aioquic implements AsyncDisposable {
  readonly #process: PeerProcess<AioquicEvent>;

  private constructor(process: PeerProcess<AioquicEvent>) {
    this.#process = process;
  }

  /** Resolves when the handshake is over. */
  static async connect({ python, port, caPem, raw, early }: AioquicOptions): Promise<Aioquic> {
    const client = new Aioquic(
      await PeerProcess.spawn<AioquicEvent>({
        ...{ name: "aioquic", python, program: "aioquic_client.py" },
        args: [String(port)],
        files: { "ca.pem": caPem },
        more: raw ? ["raw"] : early ? [JSON.stringify(early)] : [],
      }),
    );
    try {
      assert.equal((await client.event("connected")).alpn, "h3");
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The next event of these names, for that stream if one is named, that was not taken yet. */
  event(names: string | string[], stream?: number): Promise<AioquicEvent> {
    const all = [names].flat();
    return this.#process.event(
      `"${all.join(" or ")}"`,
      (event) => all.includes(event.event) && (stream === undefined || event.stream === stream),
    );
  }

  do(what: string, args: Record<string, unknown> = {}): Promise<void> {
    return this.#process.do(what, args);
  }

  /** A request with these very fields; gives its stream. */
  async request(fields: readonly Field[], end = false): Promise<number> {
    await this.do("request", { fields, end });
    return (await this.event("requested")).stream!;
  }

  /** The status of the answer on a stream. */
  async status(stream: number): Promise<number> {
    return Number((await this.event("headers", stream)).fields![":status"]);
  }

  async sendFrame(stream: number, opcode: number, payload: Uint8Array): Promise<void> {
    await this.do("frame", { stream, opcode, hex: Buffer.from(payload).toString("hex") });
  }

  /** The next WebSocket frame on a stream. */
  async frame(stream: number): Promise<{ opcode: number; payload: Uint8Array }> {
    const { opcode, hex } = await this.event("frame", stream);
    return { opcode: opcode!, payload: new Uint8Array(Buffer.from(hex!, "hex")) };
  }

  /** A request for a WebSocket. */
  async open(fields: readonly Field[]): Promise<PeerSocket> {
    const stream = await this.request(fields);
    return {
      fields: async () => Object.entries((await this.event("headers", stream)).fields!),
      send: ({ opcode, rsv, payload }: Frame) =>
        this.do("frame", { stream, opcode, rsv, hex: Buffer.from(payload).toString("hex") }),
      frame: () => this.#frameOrEnd(stream),
      fin: () => this.do("end", { stream }),
    };
  }

  async #frameOrEnd(stream: number): Promise<PeerFrame | null> {
    const { event, opcode, rsv, hex } = await this.event(["frame", "end"], stream);
    if (event === "end") return null;
    return { opcode: opcode!, rsv: rsv!, payload: new Uint8Array(Buffer.from(hex!, "hex")) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

/** To the proxy of a test, whose certificate is checked. */
export async function connectAioquic(
  python: string,
  t: TestProxy,
  options: Pick<AioquicOptions, "raw" | "early"> = {},
): Promise<Aioquic> {
  const { caPem } = await testCertificates();
  return await Aioquic.connect({ python, port: t.proxy.port, caPem, ...options });
}
