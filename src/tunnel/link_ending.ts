import type { SocketEnd } from "../endpoint/socket.ts";
import type { LinkEnd } from "./link.ts";

/** The end of a link, which is known before what carries it has ended. */
export class LinkEnding {
  readonly #over = Promise.withResolvers<LinkEnd>();
  #end: LinkEnd | null = null;

  /** `null` before it has ended. */
  get end(): LinkEnd | null {
    return this.#end;
  }

  /** Resolves with the end. */
  get over(): Promise<LinkEnd> {
    return this.#over.promise;
  }

  /** It ends so, if it has not ended before; gives how it did. */
  settle(end: LinkEnd): LinkEnd {
    this.#end ??= end;
    this.#over.resolve(this.#end);
    return this.#end;
  }

  /** The same, by what became of its socket. */
  settleBy({ by, code, reason }: SocketEnd): LinkEnd {
    return this.settle({ by, reason: reason || (by === "us" ? "" : `closed with ${code}`) });
  }
}

/** Begins to close the socket of a link; whatever ends it is told where it is read. */
export function closeSocket(
  socket: { close(code: number, reason: string): Promise<unknown> },
  code: number,
  reason: string,
): void {
  // RFC 6455 §5.5: a Close takes 123 bytes of reason.
  socket.close(code, reason.slice(0, 40).toWellFormed()).catch(() => {});
}
