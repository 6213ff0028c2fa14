import type { ByteStream } from "../../src/net/byte_stream.ts";
import { dial } from "../../src/net/dial.ts";
import { NetError } from "../../src/net/error.ts";

/** A listener that takes no more: Linux drops a SYN while its queue is full; others refuse it. */
export interface FullListener extends Disposable {
  readonly hostname: string;
  readonly port: number;
}

/** So long waits one that finds no room; one that does is connected long before. */
const NO_ROOM_MS = 300;

/** Listens on a free port of 127.0.0.1, accepts nobody, and fills its queue up. Linux only. */
export async function listenFull(): Promise<FullListener> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { hostname, port } = listener.addr;
  const queued: ByteStream[] = [];
  for (let full = false; !full;) {
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(new NetError("timeout", "no room")), NO_ROOM_MS);
    await dial({ hostname, port }, giveUp.signal).then(
      (stream) => queued.push(stream),
      () => full = true,
    );
    clearTimeout(timer);
  }
  return {
    hostname,
    port,
    [Symbol.dispose]() {
      for (const stream of queued) stream.abort();
      listener.close();
    },
  };
}
