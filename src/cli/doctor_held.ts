import type { Message, Socket } from "../endpoint/socket.ts";

/** An open WebSocket of a probe's, and the connection below it, if that is its own. */
export interface Held {
  readonly socket: Socket;
  /** Messages that the server sent. */
  readonly messages: number;
  /** Resolves with the next message for which `is` holds. */
  next(is: (message: Message) => boolean): Promise<void>;
  /** Ends both. */
  release(): Promise<void>;
}

interface Connection {
  close(): void;
  readonly closed: Promise<unknown>;
}

/** Takes all messages as they come, for Pongs are not heard behind one that waits. */
export function hold(socket: Socket, connection: Connection | null): Held {
  let messages = 0;
  let take: (message: Message) => void = () => {};
  const drain = async () => {
    for await (const message of socket) {
      messages++;
      take(message);
    }
  };
  // How it ended is asked of the socket.
  drain().catch(() => {});
  return {
    socket,
    get messages() {
      return messages;
    },
    next(is) {
      return new Promise((resolve) => {
        take = (message) => {
          if (is(message)) resolve();
        };
      });
    },
    async release() {
      socket.abort();
      await socket.closed;
      connection?.close();
      await connection?.closed;
    },
  };
}
