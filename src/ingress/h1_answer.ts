// RFC 9112 §6, §9: the heads of answers, with their framing and what becomes of the connection.
import { isHopByHop } from "../protocol/http1/connection.ts";
import { encodeResponseHead } from "../protocol/http1/encode.ts";
import type { Framing, HttpVersion } from "../protocol/http1/framing.ts";
import { concat } from "../protocol/wire/bytes.ts";
import type { Field } from "../protocol/wire/field.ts";
import { isBodiless } from "../protocol/wire/message.ts";

/** What an answer's head is made of. */
export interface AnswerInit {
  /** Of the request. */
  readonly method: string;
  readonly version: HttpVersion;
  readonly status: number;
  readonly fields: readonly Field[];
  /** That of the body, where it is known; `null` for no body at all where none is needed. */
  readonly length: number | "unknown" | null;
  /** Whether another request may follow. */
  readonly persistent: boolean;
}

/** An answer's head, and how the body goes behind it. */
export interface AnswerHead {
  readonly bytes: Uint8Array;
  readonly framing: Framing;
  readonly persistent: boolean;
}

const utf8 = new TextEncoder();

/** Throws TypeError for a status or fields that can't be written. */
export function answerHead(init: AnswerInit): AnswerHead {
  const { method, version, status } = init;
  if (status < 200) throw new TypeError(`${status} is not the status of an answer`);
  const fields: Field[] = [];
  let declared: number | null = null;
  let upgrades = false;
  for (const field of init.fields) {
    const name = field[0];
    if (name === "content-length") declared = lengthOf(field[1]);
    else if (name === "upgrade") upgrades = fields.push(field) > 0;
    else if (isEndToEnd(name)) fields.push(field);
  }
  const framing = framingOf(init, declared);
  const persistent = init.persistent && framing !== "close";
  if (isBodiless(method, status)) {
    // RFC 9110 §8.6: what it would be with a GET; §15.3.6: 0 in a 205, and §8.6: none in a 204.
    const length = status === 205 ? 0 : declared ?? (init.length || null);
    if (typeof length === "number") fields.push(["content-length", String(length)]);
  } else if (framing === "chunked") {
    fields.push(["transfer-encoding", "chunked"]);
  } else if (framing !== "close") {
    fields.push(["content-length", String(framing)]);
  }
  const connection = connectionField(version, persistent, upgrades);
  if (connection !== null) fields.push(["connection", connection]);
  return { bytes: encodeResponseHead({ status, fields }), framing, persistent };
}

/** What the connection says of itself is said here. RFC 9110 §11.7.1: a 407 may be ours. */
function isEndToEnd(name: string): boolean {
  return !isHopByHop(name) || name.startsWith("proxy-auth");
}

function framingOf({ method, version, status, length }: AnswerInit, declared: number | null) {
  if (isBodiless(method, status)) return 0;
  if (length !== "unknown") return length ?? 0;
  if (declared !== null) return declared;
  // RFC 9112 §6.1: chunked is never sent to HTTP/1.0; §6.3: there the connection's end is the body's.
  return version === "1.1" ? "chunked" : "close";
}

/** RFC 9112 §9.3, §9.6; RFC 9110 §7.8: Upgrade goes with its connection option. */
function connectionField(version: HttpVersion, persistent: boolean, upgrades: boolean) {
  const option = !persistent ? "close" : version === "1.0" ? "keep-alive" : null;
  if (!upgrades) return option;
  return option === null ? "Upgrade" : `${option}, Upgrade`;
}

function lengthOf(value: string): number | null {
  const length = /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
  return Number.isSafeInteger(length) ? length : null;
}

/**
 * The last head of HTTP: 101 to `protocol`, or 200 where it is `null` (RFC 9110 §7.8, §9.3.6), with
 * all other fields. Throws TypeError for fields that can't be written.
 */
export function switchingHead(protocol: string | null, fields: readonly Field[]): Uint8Array {
  const others = fields.filter(([name]) => name !== "content-length" && isEndToEnd(name));
  if (protocol === null) return encodeResponseHead({ status: 200, fields: others });
  const switching: Field[] = [["connection", "Upgrade"], ["upgrade", protocol]];
  return encodeResponseHead({ status: 101, fields: [...switching, ...others] });
}

/** What a request is answered with at the door; the connection ends behind it. */
export function refusal(status: number, text: string): Uint8Array {
  const body = utf8.encode(`${text}\n`);
  const head = encodeResponseHead({
    status,
    fields: [
      ["content-type", "text/plain; charset=utf-8"],
      ["content-length", String(body.length)],
      ["connection", "close"],
    ],
  });
  return concat([head, body]);
}
