// Ends of TCP connections that say what a test says.
import { concat } from "../../src/protocol/wire/bytes.ts";
import { within } from "../support/within.ts";

const latin1 = (bytes: Uint8Array) => Array.from(bytes, (c) => String.fromCharCode(c)).join("");

/** One end of a connection. */
export class Raw {
  readonly conn: Deno.TcpConn;
  #came = new Uint8Array(0);

  constructor(conn: Deno.TcpConn) {
    this.conn = conn;
  }

  static async connect(port: number): Promise<Raw> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new Raw(conn);
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** What comes, up to the end of `mark`; throws where it ends before. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = latin1(this.#came).indexOf(mark);
      if (at >= 0) return latin1(this.#take(at + mark.length));
      if (!await this.#more(mark)) {
        throw new Error(`Ended at ${JSON.stringify(latin1(this.#came))}`);
      }
    }
  }

  /** So many bytes. */
  async bytes(count: number): Promise<Uint8Array> {
    while (this.#came.length < count) {
      if (!await this.#more(`${count} bytes`)) throw new Error(`Ended after ${this.#came.length}`);
    }
    return this.#take(count);
  }

  /** All that comes up to the end; a reset is one. */
  async rest(): Promise<string> {
    while (await this.#more("the end").catch(() => false));
    return latin1(this.#take(this.#came.length));
  }

  /** How the other side ends; nothing more may come. */
  async end(): Promise<"fin" | "reset"> {
    try {
      if (await this.#more("the end")) throw new Error("More came");
      return "fin";
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return "reset";
      throw error;
    }
  }

  #take(count: number): Uint8Array {
    const taken = this.#came.slice(0, count);
    this.#came = this.#came.slice(count);
    return taken;
  }

  async #more(what: string): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    const count = await within(what, this.conn.read(chunk));
    if (count !== null) this.#came = concat([this.#came, chunk.subarray(0, count)]).slice();
    return count !== null;
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // It is closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** How a connection to this port ends, of which nothing comes. */
export async function endOf(port: number): Promise<"fin" | "reset"> {
  try {
    using client = await Raw.connect(port);
    return await client.end();
  } catch (error) {
    // It may be over before it is known here.
    if (error instanceof Deno.errors.ConnectionReset) return "reset";
    throw error;
  }
}

/** A TCP server of which the test plays each connection. */
export async function withRawTarget(
  run: (target: { port: number; accept: () => Promise<Raw> }) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Raw[] = [];
  const accept = async () => {
    const raw = new Raw(await within("a connection", listener.accept()));
    accepted.push(raw);
    return raw;
  };
  try {
    await run({ port: listener.addr.port, accept });
  } finally {
    for (const raw of accepted) raw.close();
    listener.close();
  }
}
