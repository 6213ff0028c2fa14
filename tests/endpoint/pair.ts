import { Socket, type SocketOptions } from "../../src/endpoint/socket.ts";
import type { ByteStream } from "../../src/net/byte_stream.ts";
import { NetError } from "../../src/net/error.ts";

/** One way between two sockets: each write is read in pieces of `cut` bytes. */
class Way {
  readonly #cut: number;
  readonly #queue: Uint8Array[] = [];
  #ended = false;
  #broken = false;
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};

  constructor(cut: number) {
    this.#cut = cut;
  }

  async read(): Promise<Uint8Array | null> {
    while (this.#queue.length === 0) {
      if (this.#broken) throw new NetError("reset", "reset");
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const chunk = this.#queue[0].subarray(0, this.#cut);
    this.#queue[0] = this.#queue[0].subarray(chunk.length);
    if (this.#queue[0].length === 0) this.#queue.shift();
    this.#wakeWriter();
    return chunk;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#broken || this.#ended) throw new NetError("reset", "reset");
    this.#queue.push(bytes.slice());
    this.#wakeReader();
    while (this.#queue.length > 4) {
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
      if (this.#broken) throw new NetError("reset", "reset");
    }
  }

  end(broken: boolean): void {
    this.#ended = true;
    this.#broken ||= broken;
    this.#wakeReader();
    this.#wakeWriter();
  }
}

function streamOf(input: Way, output: Way): ByteStream {
  return {
    headroom: 0,
    read: () => input.read(),
    write: (bytes) => output.write(bytes),
    closeWrite: () => Promise.resolve(output.end(false)),
    abort() {
      output.end(false);
      input.end(true);
    },
  };
}

/** A client and a server that talk to each other. */
export function socketPair(
  options: Partial<SocketOptions>,
  cut = Infinity,
): { client: Socket; server: Socket } {
  const up = new Way(cut);
  const down = new Way(cut);
  const make = (role: SocketOptions["role"], stream: ByteStream) =>
    new Socket({
      ...{ role, stream, http: "1.1", protocol: "", extensions: "", fields: [] },
      ...{ maxFrameBytes: 2 ** 24, maxMessageBytes: 2 ** 24, ...options },
    });
  return {
    client: make("client", streamOf(down, up)),
    server: make("server", streamOf(up, down)),
  };
}
