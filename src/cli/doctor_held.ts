import type { Message, Socket, SocketEnd } from "../endpoint/socket.ts";

/** An open WebSocket of a probe's, and the connection below it, if that is its own. */
export interface Held {
  readonly socket: Socket;
  /** Messages that the server sent. */
  readonly messages: number;
  /** Resolves when nothing comes any more. */
  readonly over: Promise<void>;
  /** Whether that is so. */
  readonly isOver: boolean;
  /** How it ended, once it is over. A server that does not end its stream is not waited for for long. */
  ended(): Promise<Ended>;
  /** Resolves with the next message for which `is` holds. */
  next(is: (message: Message) => boolean): Promise<void>;
  /** Ends both. */
  release(): Promise<void>;
}

/** How a socket ended, and whether the server left its stream open. */
export interface Ended extends SocketEnd {
  readonly isLeftOpen: boolean;
}

/** RFC 6455 §7.1.1: so long the server has to end its stream. */
const END_MS = 500;

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
  const over = drain().catch(() => {}).then(() => void (isOver = true));
  return {
    socket,
    get messages() {
      return messages;
    },
    over,
    get isOver() {
      return isOver;
    },
    ended: () => endOf(socket),
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

async function endOf(socket: Socket): Promise<Ended> {
  let isLeftOpen = false;
  const timer = setTimeout(() => {
    isLeftOpen = true;
    socket.abort();
  }, END_MS);
  const end = await socket.closed;
  clearTimeout(timer);
  return { ...end, isLeftOpen };
}
