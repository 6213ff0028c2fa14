// A backend that takes down every request that reaches it, and reads it as strictly as can be: what
// two servers might read in two ways is a fault, which a test must not find.
import * as net from "node:net";
import type { Field } from "../../src/protocol/wire/field.ts";
import { fromLatin1, latin1 } from "./inbox.ts";

export interface RecordedRequest {
  method: string;
  target: string;
  /** In order, names as they came. */
  fields: Field[];
  body: string;
  trailers: Field[];
  /** Which connection it came by, counted from 0. */
  connection: number;
}

const LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.1$/;

export class RecordingBackend {
  readonly requests: RecordedRequest[] = [];
  /** What came that has more than one reading, or none. */
  readonly faults: string[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  connections = 0;

  private constructor() {
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async listen(): Promise<RecordingBackend> {
    const backend = new RecordingBackend();
    await new Promise<void>((resolve) => backend.#server.listen(0, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** How many connections are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** The requests since it was asked last. */
  take(): RecordedRequest[] {
    return this.requests.splice(0);
  }

  #serve(socket: net.Socket): void {
    const reader = new Reader(this.connections++, this.faults);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
    });
    socket.on("data", (chunk: Uint8Array) => {
      reader.push(latin1(chunk));
      for (let request = reader.next(); request !== null; request = reader.next()) {
        this.requests.push(request);
        socket.write(fromLatin1(answerTo(request)));
      }
    });
  }

  /** Ends all that is open: who pools connections finds them stale. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.drop();
    await closed;
  }
}

/** Says which request it answers. */
function answerTo({ method, target, fields }: RecordedRequest): string {
  const probe = fields.find(([name]) => name.toLowerCase() === "x-probe")?.[1] ?? "none";
  const text = `${method} ${target} probe=${probe}`;
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nX-Probe: ${probe}\r\n\r\n`;
  return method === "HEAD" ? head : head + text;
}

/** Reads requests off one connection. */
class Reader {
  readonly #connection: number;
  readonly #faults: string[];
  #text = "";

  constructor(connection: number, faults: string[]) {
    this.#connection = connection;
    this.#faults = faults;
  }

  push(text: string): void {
    this.#text += text;
  }

  /** `null` while there is none that is whole. */
  next(): RecordedRequest | null {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return null;
    const [line, ...lines] = this.#text.slice(0, end).split("\r\n");
    const start = REQUEST_LINE.exec(line);
    if (start === null) this.#fault(`request line ${JSON.stringify(line)}`);
    const fields = this.#fields(lines);
    const body = this.#body(fields, end + 4);
    if (body === null) return null;
    this.#text = this.#text.slice(body.end);
    return {
      method: start?.[1] ?? "",
      target: start?.[2] ?? "",
      fields,
      body: body.text,
      trailers: body.trailers,
      connection: this.#connection,
    };
  }

  #fields(lines: string[]): Field[] {
    return lines.map((line): Field => {
      const match = LINE.exec(line);
      if (match === null) this.#fault(`field line ${JSON.stringify(line)}`);
      return [match?.[1] ?? "", match?.[2] ?? ""];
    });
  }

  #body(fields: readonly Field[], at: number) {
    const all = (wanted: string) =>
      fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
    const [lengths, codings] = [all("content-length"), all("transfer-encoding")];
    if (all("host").length !== 1) this.#fault(`${all("host").length} Host fields`);
    if (lengths.length + codings.length > 1) this.#fault(`framed by ${[...lengths, ...codings]}`);
    if (codings.length > 0) {
      if (codings[0] !== "chunked") this.#fault(`Transfer-Encoding: ${codings[0]}`);
      return this.#chunks(at);
    }
    if (lengths.length > 0 && !/^(?:0|[1-9][0-9]*)$/.test(lengths[0])) {
      this.#fault(`Content-Length: ${lengths[0]}`);
    }
    const end = at + Number(lengths[0] ?? 0);
    if (this.#text.length < end) return null;
    return { text: this.#text.slice(at, end), trailers: [], end };
  }

  #chunks(at: number) {
    let text = "";
    for (;;) {
      const line = this.#text.indexOf("\r\n", at);
      if (line < 0) return null;
      const head = this.#text.slice(at, line);
      if (!/^[0-9a-fA-F]{1,8}$/.test(head)) this.#fault(`chunk line ${JSON.stringify(head)}`);
      const size = parseInt(head, 16);
      if (size === 0) return this.#lastChunk(text, line);
      const end = line + 2 + size;
      if (this.#text.length < end + 2) return null;
      if (this.#text.slice(end, end + 2) !== "\r\n") this.#fault("a chunk without its end");
      text += this.#text.slice(line + 2, end);
      at = end + 2;
    }
  }

  #lastChunk(text: string, line: number) {
    const end = this.#text.indexOf("\r\n\r\n", line);
    if (end < 0) return null;
    const lines = this.#text.slice(line + 2, end).split("\r\n").filter((one) => one !== "");
    return { text, trailers: this.#fields(lines), end: end + 4 };
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }
}
