// aioquic, driven line by line through tests/interop/aioquic_client.py.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Frame } from "../../src/protocol/websocket/encoder.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { testCertificates, type TestProxy } from "../support/proxy.ts";
import { within } from "../support/within.ts";
import type { PeerFrame, PeerSocket } from "./flows.ts";

const CLIENT = new URL("./aioquic_client.py", import.meta.url).pathname;

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
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #folder: string;
  readonly #reading: Promise<void>;
  readonly #events: AioquicEvent[] = [];
  #ended = false;
  #wake = Promise.withResolvers<void>();

  private constructor(child: Deno.ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#input = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Resolves when the handshake is over. */
  static async connect(options: AioquicOptions): Promise<Aioquic> {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/ca.pem`, options.caPem);
    const { raw, early } = options;
    const mode = raw ? ["raw"] : early ? [JSON.stringify(early)] : [];
    const child = new Deno.Command(options.python, {
      args: ["-u", CLIENT, String(options.port), `${folder}/ca.pem`, ...mode],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const client = new Aioquic(child, folder);
    try {
      assert.equal((await client.event("connected")).alpn, "h3");
      return client;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#events.push(JSON.parse(line));
      this.#woken();
    }
    this.#ended = true;
    this.#woken();
  }

  #woken(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** The next event of these names, for that stream if one is named, that was not taken yet. */
  async event(names: string | string[], stream?: number): Promise<AioquicEvent> {
    const name = [names].flat().join(" or ");
    const isIt = (event: AioquicEvent) =>
      [names].flat().includes(event.event) && (stream === undefined || event.stream === stream);
    for (;;) {
      const index = this.#events.findIndex(isIt);
      if (index >= 0) return this.#events.splice(index, 1)[0];
      const left = JSON.stringify(this.#events);
      if (this.#ended) throw new Error(`aioquic ended without "${name}"; it told ${left}`);
      await within(`"${name}" from aioquic, which told ${left}`, this.#wake.promise);
    }
  }

  async do(what: string, args: Record<string, unknown> = {}): Promise<void> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify({ do: what, ...args }) + "\n"));
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

  async [Symbol.asyncDispose](): Promise<void> {
    // It ends by itself with its stdin, unless it has ended already.
    await this.#input.close().catch(() => {});
    await within("the end of aioquic", this.#child.status).catch(() => this.#child.kill("SIGKILL"));
    await this.#reading;
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
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
