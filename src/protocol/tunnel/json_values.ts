import { base64Length, decodeBase64 } from "../wire/base64.ts";
import { normalHost } from "../wire/host.ts";
import { TunnelCode, tunnelCodeOf } from "./code.ts";
import { MessageError } from "./message.ts";

const MAX_ID_CHARS = 128;
const MAX_SECRET_CHARS = 1024;
const MAX_NOTE_CHARS = 1024;
const MAX_SHOWN_CHARS = 40;

/** Where it is lost what they were to say of a connection, that one is not whole any more. */
const BY_ID: ReadonlySet<string> = new Set(["connect", "connect_response", "data", "close"]);

const CONTROL = /\p{Cc}/u;

/** Values of a JSON object, by the names that they have on the wire. */
export type Values = Readonly<Record<string, unknown>>;

/**
 * The values of one message, each checked as it is read. Once the connection that it is for is
 * read, errors name it.
 */
export class MessageValues {
  readonly #type: string;
  readonly #values: Values;
  #connectionId: string | null = null;

  constructor(type: string, values: Values) {
    this.#type = type;
    this.#values = values;
  }

  /** Which connection the message is for: 1 to 128 characters, none of them a control character. */
  connectionId(): string {
    return this.#connectionId = this.id("connection_id");
  }

  /** Which connection the message is for; `null` where that is left out, or empty. */
  optionalConnectionId(): string | null {
    const value = this.#values["connection_id"] ?? "";
    return value === "" ? null : this.connectionId();
  }

  /** 1 to 128 characters, none of them a control character. */
  id(key: string): string {
    const value = this.#text(key);
    if (value !== "" && value.length <= MAX_ID_CHARS && !CONTROL.test(value)) return value;
    throw this.#wrong(key, `1 to ${MAX_ID_CHARS} printable characters`);
  }

  /** Up to 1024 characters that no error shows. */
  secret(key: string): string {
    const value = this.#values[key];
    if (typeof value === "string" && value.length <= MAX_SECRET_CHARS) return value;
    throw this.#error(`${key} of "${this.#type}" is not a text of up to ${MAX_SECRET_CHARS}`);
  }

  /** What is for people to read: it may be left out, and only its first 1024 characters count. */
  note(key: string): string {
    if ((this.#values[key] ?? null) === null) return "";
    return this.#text(key).slice(0, MAX_NOTE_CHARS).toWellFormed();
  }

  flag(key: string): boolean {
    const value = this.#values[key];
    if (typeof value === "boolean") return value;
    throw this.#wrong(key, "true or false");
  }

  finite(key: string): number {
    const value = this.#values[key];
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.#wrong(key, "a number");
  }

  /** See `normalHost`. */
  host(key: string): string {
    const host = normalHost(this.#text(key));
    if (host !== null) return host;
    throw this.#wrong(key, "a name or an IP address");
  }

  port(key: string): number {
    const value = this.#values[key];
    if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= 0xffff) {
      return value;
    }
    throw this.#wrong(key, "1 to 65535");
  }

  protocol(key: string): "tcp" | "udp" {
    const value = this.#values[key];
    if (value === "tcp" || value === "udp") return value;
    throw this.#wrong(key, '"tcp" or "udp"');
  }

  /** A code by its name; one that is not known says no more than that something went wrong. */
  code(key: string): TunnelCode {
    return tunnelCodeOf(this.#text(key)) ?? TunnelCode.INTERNAL_ERROR;
  }

  /** The bytes of base64. The limit is checked before they are made, and no error shows them. */
  payload(key: string, maxBytes: number): Uint8Array {
    const value = this.#text(key);
    const bytes = value.length > base64Length(maxBytes) ? null : decodeBase64(value);
    if (bytes !== null && bytes.length <= maxBytes) return bytes;
    throw this.#error(`${key} of "${this.#type}" is not base64 of up to ${maxBytes} bytes`);
  }

  #text(key: string): string {
    const value = this.#values[key];
    if (typeof value === "string") return value;
    throw this.#wrong(key, "a text");
  }

  #wrong(key: string, want: string): MessageError {
    return this.#error(`${key} of "${this.#type}" is ${show(this.#values[key])}, not ${want}`);
  }

  #error(message: string): MessageError {
    const scope = this.#connectionId === null && BY_ID.has(this.#type) ? "connection" : "stream";
    return new MessageError(message, this.#connectionId, scope);
  }
}

/** A value, short enough for a message; what is nested is only named, as it may be of any size. */
export function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "a list" : "an object";
  }
  const text = JSON.stringify(value);
  return text.length <= MAX_SHOWN_CHARS ? text : `${text.slice(0, MAX_SHOWN_CHARS)}...`;
}

/** Whether a value is an object of JSON, and no array. */
export function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
