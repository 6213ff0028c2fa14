// A server of NATS in the test's hands, that says to whoever comes what the test says.
import * as net from "node:net";

const INFO = {
  ...{ server_id: "a", server_name: "a", version: "2.9.25", proto: 1, host: "127.0.0.1", port: 1 },
  ...{ headers: true, max_payload: 8 << 20 },
};

/** One client at a time. */
export class FakeNats implements AsyncDisposable {
  readonly #server = net.createServer((socket) => this.#take(socket));
  readonly #sids = new Map<string, string>();
  #socket: net.Socket | null = null;

  static async start(): Promise<FakeNats> {
    const nats = new FakeNats();
    await new Promise<void>((resolve) => nats.#server.listen(0, "127.0.0.1", resolve));
    return nats;
  }

  get url(): URL {
    return new URL(`nats://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`);
  }

  #take(socket: net.Socket): void {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
    let came = "";
    socket.on("data", (chunk) => {
      const lines = (came + chunk.toString("latin1")).split("\r\n");
      came = lines.pop()!;
      for (const line of lines) this.#hear(socket, line);
    });
  }

  /** A payload that looks like one of them does not come. */
  #hear(socket: net.Socket, line: string): void {
    const [verb, subject, sid] = line.split(" ");
    if (verb === "PING") socket.write("PONG\r\n");
    if (verb === "SUB") this.#sids.set(subject, sid);
  }

  /** Whether anybody listens to exactly this. */
  hears(subject: string): boolean {
    return this.#sids.has(subject);
  }

  /** To whoever listens to exactly this. */
  say(subject: string, text: string): void {
    const payload = new TextEncoder().encode(text);
    this.#socket!.write(`MSG ${subject} ${this.#sids.get(subject)} ${payload.length}\r\n`);
    this.#socket!.write(payload);
    this.#socket!.write("\r\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
