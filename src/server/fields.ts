import { type Field, isFieldValue, isToken } from "../protocol/wire/field.ts";

/** The fields of a request as the platform has them; Host stands for `authority`. */
export function toHeaders(fields: readonly Field[], authority: string): Headers {
  const headers = new Headers();
  for (const [name, value] of fields) headers.append(name, value);
  // RFC 9113 §8.3.1, RFC 9114 §4.3.1: there :authority stands for it.
  if (authority !== "" && !headers.has("host")) headers.set("host", authority);
  return headers;
}

/** As they are sent; throws `TypeError` for what no answer may have (RFC 9110 §5.5). */
export function toFields(headers: HeadersInit): Field[] {
  const fields: Field[] = [];
  for (const [name, value] of headers instanceof Headers ? headers : new Headers(headers)) {
    if (!isToken(name) || !isFieldValue(value)) {
      throw new TypeError(`Header field ${JSON.stringify(name)} has a value that can't be sent`);
    }
    fields.push([name, value]);
  }
  return fields;
}

/** An address and a port, as they stand in "ip:port". */
export interface Endpoint {
  /** The IP address, IPv6 without brackets; `unknown` where it is not known. */
  readonly address: string;
  /** 0 where it is not known. */
  readonly port: number;
}

const ENDPOINT = /^\[?([^\]]*)\]?:([0-9]{1,5})$/;
/** RFC 4291 §2.5.5.2: so comes a client of IPv4 to a socket that takes both. */
const MAPPED = /^::ffff:([0-9]{1,3}(?:\.[0-9]{1,3}){3})$/i;

export function endpointOf(text: string): Endpoint {
  const match = ENDPOINT.exec(text);
  if (match === null) return { address: "unknown", port: 0 };
  return { address: match[1].replace(MAPPED, "$1"), port: Number(match[2]) };
}
