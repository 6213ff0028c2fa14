import {
  type Authenticator,
  credsAuthenticator,
  type NatsConnection,
} from "@nats-io/transport-node";
import { messageOf, NetError } from "./error.ts";
import { connectNats } from "./nats_transport.ts";

export interface NatsOptions {
  /** `nats://` or `tls://`, with `user:password@` or `token@`; several servers of one NATS. */
  urls: readonly URL[];
  /** What is in a file of credentials: a JWT and its key. */
  creds?: string;
  /** PEM, of those who sign the server's certificate, instead of the roots that are trusted. */
  caPem?: string;
  /** For whoever looks at the server. */
  name: string;
  /** What is listened to; `*` stands for one part of a subject, `>` for all that follow. */
  subjects: readonly string[];
  /** The bytes of a message are valid as long as anybody holds them. */
  onMessage: (subject: string, bytes: Uint8Array) => void;
  /** Thrown by `onMessage`; all else goes on. */
  onBug: (error: unknown) => void;
  onJoined: () => void;
  /** It is tried again, for ever. */
  onLost: (reason: string) => void;
}

/** What waits to be sent at most, before whoever sends has to wait. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/** A message is 64 KiB and a little; the server's own default is 1 MiB. */
const MIN_PAYLOAD_BYTES = 128 * 1024;
const RETRY_MS = 500;
const TIMEOUT_MS = 5_000;
const LAST_FLUSH_MS = 1_000;
const PING_MS = 10_000;

/** A connection to NATS that is made again whenever it is lost. */
export class Nats {
  readonly #options: NatsOptions;
  #connection: NatsConnection | null = null;
  #joined = false;
  #closed = false;
  /** Why it was lost, as was told. */
  #told = "";
  #wake = () => {};
  #unsentBytes = 0;
  #flushing: Promise<void> | null = null;
  readonly #running: Promise<void>;

  /** Begins at once. */
  constructor(options: NatsOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /**
   * Sends it, or drops it while there is no connection. Resolves when there is room for more, which
   * is at once, but for much. Never rejects.
   */
  async publish(subject: string, bytes: Uint8Array): Promise<void> {
    if (!this.#joined) return;
    this.#connection!.publish(subject, bytes);
    this.#unsentBytes += bytes.length;
    if (this.#unsentBytes < MAX_UNSENT_BYTES) return;
    await (this.#flushing ??= this.#flush());
  }

  /** The server has all that was sent. */
  async #flush(): Promise<void> {
    // Where the connection is lost, whoever waits hears of it by `onLost`.
    await this.#connection!.flush().catch(() => {});
    this.#unsentBytes = 0;
    this.#flushing = null;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const connection = await connectNats(connectionOptions(this.#options));
        this.#connection = connection;
        if (this.#closed) await connection.close();
        else await this.#hold(connection);
      } catch (error) {
        this.#lost(messageOf(error));
      }
      if (!this.#closed) await this.#pause();
    }
  }

  /** To the end of the connection. */
  async #hold(connection: NatsConnection): Promise<void> {
    const payload = connection.info!.max_payload;
    if (payload < MIN_PAYLOAD_BYTES) {
      await connection.close();
      throw new NetError("other", `max_payload is ${payload}: ${MIN_PAYLOAD_BYTES} are needed`);
    }
    for (const subject of this.#options.subjects) {
      connection.subscribe(subject, {
        callback: (error, message) => {
          if (error === null) this.#take(message);
        },
      });
    }
    const watching = this.#watch(connection);
    this.#unsentBytes = 0;
    this.#joined = true;
    this.#told = "";
    this.#options.onJoined();
    const error = await connection.closed();
    this.#joined = false;
    const reason = await watching;
    this.#lost(error ? messageOf(error) : reason);
  }

  /** What is thrown here would end the reading of all that follows. */
  #take({ subject, data }: { subject: string; data: Uint8Array }): void {
    try {
      this.#options.onMessage(subject, data);
    } catch (error) {
      this.#options.onBug(error);
    }
  }

  /** What the server complains of, as of rights that we lack, is no way to go on. */
  async #watch(connection: NatsConnection): Promise<string> {
    let reason = "the connection is lost";
    for await (const status of connection.status()) {
      if (status.type !== "error") continue;
      reason = messageOf(status.error);
      await connection.close();
    }
    return reason;
  }

  /** The same is told once. */
  #lost(reason: string): void {
    if (this.#closed || reason === this.#told) return;
    this.#told = reason;
    this.#options.onLost(reason);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS * (0.5 + Math.random()));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #lastFlush(connection: NatsConnection): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, LAST_FLUSH_MS);
    await Promise.race([connection.flush().catch(() => {}), late.promise]);
    clearTimeout(timer);
  }

  /** Sends what waits, if that can be, and ends. */
  async close(): Promise<void> {
    if (this.#joined) await this.#lastFlush(this.#connection!);
    this.#closed = true;
    this.#joined = false;
    this.#wake();
    await this.#connection?.close();
    await this.#running;
  }
}

function connectionOptions({ urls, creds, caPem, name }: NatsOptions) {
  const [{ username, password }] = urls;
  const authenticator: Authenticator | undefined = creds === undefined
    ? undefined
    : credsAuthenticator(new TextEncoder().encode(creds));
  const user = decodeURIComponent(username);
  const login = password === ""
    ? { token: user === "" ? undefined : user }
    : { user, pass: decodeURIComponent(password) };
  return {
    servers: urls.map(({ hostname, port }) => `${hostname}:${port || 4222}`),
    ...login,
    ...(authenticator && { authenticator }),
    tls: caPem !== undefined ? { ca: caPem } : urls[0].protocol === "tls:" ? {} : undefined,
    name,
    // What it says itself it knows.
    noEcho: true,
    // We do, for whatever reason it was lost; and nothing is sent then that was meant for before.
    reconnect: false,
    timeout: TIMEOUT_MS,
    pingInterval: PING_MS,
  };
}
