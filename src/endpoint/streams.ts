import { NetError } from "../net/error.ts";
import type { Message } from "./message.ts";
import type { Socket } from "./socket.ts";

/**
 * The messages of a socket as `WebSocketStream` has them: it closes with the socket, and fails
 * where that does not end by Close. To cancel it closes the socket.
 */
export function readableOf(socket: Socket): ReadableStream<Message> {
  return new ReadableStream<Message>({
    async pull(controller) {
      const data = await socket.receive();
      if (data !== null) return controller.enqueue(data);
      const { wasClean, reason } = await socket.closed;
      if (wasClean) controller.close();
      else controller.error(new NetError("lost", `The WebSocket has failed: ${reason}`));
    },
    cancel: (reason) => closeFor(socket, reason),
  }, { highWaterMark: 0 });
}

/** Sends what is written. To close or to abort it closes the socket; it fails when that ends. */
export function writableOf(socket: Socket): WritableStream<Message> {
  let closing = false;
  const close = async (reason?: unknown) => {
    closing = true;
    await closeFor(socket, reason);
  };
  return new WritableStream<Message>({
    start(controller) {
      const { signal } = controller;
      // What is called `abort` here waits for the write under way, which may wait for the peer.
      signal.addEventListener("abort", () => void close(signal.reason).catch(() => {}));
      void socket.closed.then(({ reason }) => {
        if (closing) return;
        controller.error(new NetError("aborted", `The WebSocket is closed: ${reason}`));
      });
    },
    write: (data) => socket.send(data),
    close: () => close(),
    abort: close,
  });
}

/**
 * As with `WebSocketError` of the WHATWG, a reason may say the code and the reason of the Close. One
 * that can't be sent is a `RangeError`; the socket is closed all the same, as nobody is left to do it.
 */
async function closeFor(socket: Socket, reason: unknown): Promise<void> {
  const { closeCode, reason: text } = (reason ?? {}) as { closeCode?: unknown; reason?: unknown };
  if (typeof closeCode !== "number") await socket.close();
  else {
    const closing = socket.close(closeCode, typeof text === "string" ? text : "");
    await closing.catch(async (error) => {
      await socket.close();
      throw error;
    });
  }
}
