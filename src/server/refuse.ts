import type { HttpVersion, Offer } from "../ingress/offer.ts";
import { NetError } from "../net/error.ts";
import { inTime, type Sweeper } from "../net/sweeper.ts";
import { PeerError } from "../protocol/wire/error.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { RefusalReason, Telling } from "./observer.ts";

/** An answer of the server's own. */
export interface Refused {
  readonly status: number;
  readonly fields?: readonly Field[];
  /** One line. */
  readonly text: string;
  /** Why, where the observer is to be told. */
  readonly rejected?: RefusalReason;
}

export interface RefuserOptions {
  sweeper: Sweeper;
  writeTimeoutMs: number;
  observer: Telling;
  altSvc: (http: HttpVersion) => string | null;
}

/** Gives the answers that no handler gives. */
export class Refuser {
  readonly #options: RefuserOptions;

  constructor(options: RefuserOptions) {
    this.#options = options;
  }

  /** Resolves when it was handed over, or the client is gone or takes nothing. */
  async refuse(offer: Offer, { status, fields = [], text, rejected }: Refused): Promise<void> {
    const { request } = offer;
    const { observer, altSvc } = this.#options;
    if (rejected !== undefined) {
      const { path, remote: client } = request;
      observer.rejected({ reason: rejected, status, path: pathOf(path), client, message: text });
    }
    const service = altSvc(request.http);
    const all: Field[] = [
      ["content-type", "text/plain; charset=utf-8"],
      ...fields,
      ...(service === null ? [] : [["alt-svc", service] as const]),
    ];
    try {
      await this.inTime(offer, offer.respond(status, all, new TextEncoder().encode(`${text}\n`)));
    } catch (error) {
      if (!(error instanceof NetError || error instanceof PeerError)) throw error;
    }
  }

  /** Rejects for a client that does not take its answer (RFC 9000 §4.1: it gives no credit). */
  inTime<T>(offer: Offer, answered: Promise<T>): Promise<T> {
    const { sweeper, writeTimeoutMs: afterMs } = this.#options;
    const late = (): never => {
      offer.abort();
      throw new NetError("timeout", "the client does not take its answer");
    };
    return inTime(answered, { sweeper, afterMs, late });
  }
}

/** Without the query, which often carries a token. */
export function pathOf(path: string): string {
  const mark = path.indexOf("?");
  return mark < 0 ? path : path.slice(0, mark);
}
