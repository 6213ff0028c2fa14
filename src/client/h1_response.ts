// RFC 9110 §3.4: the answer to a request that a pool was asked for.
import type { Content } from "../ingress/offer.ts";
import type { HttpVersion } from "../protocol/http1/framing.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { Answer, ExchangeTraffic } from "./h1_exchange.ts";

/** The answer to a request. Its content must be read to its end, or cancelled. */
export interface H1Response extends Answer {
  /** Whether a stale connection was met before. */
  readonly retried: boolean;
  readonly traffic: ExchangeTraffic;
}

/** It is made for each request: a class, so that all have one shape. */
export class PooledResponse implements H1Response {
  readonly status: number;
  readonly version: HttpVersion;
  readonly fields: readonly Field[];
  readonly content: Content | null;
  readonly retried: boolean;
  readonly traffic: ExchangeTraffic;

  constructor(answer: Answer, traffic: ExchangeTraffic, retried: boolean) {
    this.status = answer.status;
    this.version = answer.version;
    this.fields = answer.fields;
    this.content = answer.content;
    this.traffic = traffic;
    this.retried = retried;
  }
}
