import { BodyParser } from "../../../src/protocol/http1/body.ts";
import type { Framing } from "../../../src/protocol/http1/framing.ts";
import {
  type HeadLimits,
  RequestHeadParser,
  ResponseHeadParser,
  type ResponseLimits,
} from "../../../src/protocol/http1/head.ts";
import type { Parser } from "../../../src/protocol/wire/parser.ts";
import { feedEveryWay, type Outcome, type Run, withRest } from "../../fuzz/driver.ts";
import { latin1 } from "../../fuzz/input.ts";

/** Feeds a request whole, byte by byte and cut; bytes behind the head come as `{ rest: hex }`. */
export function readRequest(text: string, limits: HeadLimits = {}): Outcome {
  return read(() => withRest(new RequestHeadParser(limits)), text);
}

/** Feeds responses whole, byte by byte and cut; bytes behind the last come as `{ rest: hex }`. */
export function readResponse(text: string, limits: ResponseLimits = {}): Outcome {
  return read(() => withRest(new ResponseHeadParser(limits)), text);
}

/** Feeds a body; content comes as `{ data: hex }`, bytes behind it as `{ rest: hex }`. */
export function readBody(framing: Framing, text: string, limit?: number): Outcome {
  return read(() => withRest(new BodyParser({ framing, invalid: 502, limit })), text);
}

function read<Event>(make: () => Parser<Event>, text: string): Outcome {
  const normalise = (event: Event): Run | unknown =>
    event instanceof Uint8Array ? { run: "data", bytes: event } : event;
  return feedEveryWay({ name: "", make, valid: null!, normalise }, latin1(text));
}

/** The status of the error, or `null` when there is none. */
export function statusOf({ error }: Outcome): number | null {
  return error === null ? null : error.code;
}
