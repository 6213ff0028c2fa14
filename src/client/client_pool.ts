import { NetError } from "../net/error.ts";
import { timerMs } from "../net/numbers.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { RequestHead } from "../protocol/wire/message.ts";
import { type HttpClient, NoRoom, type Tunnelled, Unprocessed } from "./http_client.ts";

/** A connection that several sockets share. */
interface Shared {
  readonly client: HttpClient & Partial<{ ref(): void; unref(): void }>;
  /** What goes with every request on it. */
  readonly fields: readonly Field[];
  /** Sockets on it, and requests for such. */
  uses: number;
  /** Whether it was asked for anything yet. */
  asked: boolean;
  /** Closes it, once it was idle for so long. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The open connections of one version of HTTP to one origin. */
export class ClientPool {
  readonly #idleMs: number;
  readonly #shared = new Set<Shared>();

  /** `idleMs`: how long a connection without a socket stays open. */
  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  get size(): number {
    return this.#shared.size;
  }

  /** Shares a connection that may carry WebSockets, until it ends; `fields` go with each request. */
  add(client: HttpClient, fields: readonly Field[] = []): void {
    const shared: Shared = { client, fields, uses: 0, asked: false, timer: undefined };
    this.#shared.add(shared);
    this.#rest(shared);
    void client.closed.then(() => this.#remove(shared));
  }

  #remove(shared: Shared): void {
    clearTimeout(shared.timer);
    this.#shared.delete(shared);
  }

  /** Nobody uses it: it ends soon, and the process does not wait for that. */
  #rest(shared: Shared): void {
    shared.client.unref?.();
    shared.timer = setTimeout(() => shared.client.close(), timerMs(this.#idleMs));
    Deno.unrefTimer(shared.timer);
  }

  #take(shared: Shared): () => void {
    if (shared.uses++ === 0) {
      clearTimeout(shared.timer);
      shared.client.ref?.();
    }
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      if (--shared.uses === 0 && this.#shared.has(shared)) this.#rest(shared);
    };
  }

  /**
   * Asks for a tunnel on the first connection that has room for it; `null` where none has. One that
   * nobody uses is waited for: another would have no more room.
   */
  async connect(head: RequestHead, signal: AbortSignal): Promise<Tunnelled | null> {
    for (const shared of [...this.#shared]) {
      if (shared.client.goingAway) continue;
      const isFirst = !shared.asked;
      try {
        return await this.#ask(shared, head, signal);
      } catch (error) {
        if (signal.aborted || !mayDoBetter(shared, error, isFirst)) throw error;
      }
    }
    return null;
  }

  async #ask(shared: Shared, wanted: RequestHead, signal: AbortSignal): Promise<Tunnelled> {
    const head = { ...wanted, fields: [...wanted.fields, ...shared.fields] };
    const wait = shared.uses === 0;
    shared.asked = true;
    const giveBack = this.#take(shared);
    try {
      const answer = await shared.client.connect(head, { signal, wait, onFreed: giveBack });
      if (answer.tunnel === null) giveBack();
      return answer;
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /** Ends every connection. */
  close(): void {
    for (const shared of [...this.#shared]) {
      this.#remove(shared);
      shared.client.close();
    }
  }
}

/** Whether another connection may do better. */
function mayDoBetter({ client }: Shared, error: unknown, wasFirst: boolean): boolean {
  if (error instanceof NoRoom) return true;
  // What a connection that was made for it can't do, the next one can't either.
  if (wasFirst || !(error instanceof NetError)) return false;
  if (error instanceof Unprocessed) return !error.wantsHttp11;
  // RFC 9110 §9.2.2: nothing was changed, and what was open before may have been lost meanwhile.
  return client.goingAway || error.kind === "lost";
}
