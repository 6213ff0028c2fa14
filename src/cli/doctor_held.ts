import type { Message, Socket } from "../endpoint/socket.ts";

/** An open WebSocket of a probe's, and the connection below it, if that is its own. */
export interface Held {
  readonly socket: Socket;
  /** Messages that the server sent. */
  readonly messages: number;
  /** Whether nothing comes any more; `closed` of the socket may wait for the stream's end. */
  readonly isOver: boolean;
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
  let isOver = false;
  let take: (message: Message) => void = () => {};
  const drain = async () => {
    for await (const message of socket) {
      messages++;
      take(message);
    }
  };
  // How it ended is asked of the socket.
  void drain().catch(() => {}).then(() => isOver = true);
  return {
    socket,
    get messages() {
      return messages;
    },
    get isOver() {
      return isOver;
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
