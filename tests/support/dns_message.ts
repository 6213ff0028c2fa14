import { encodeName } from "../../src/protocol/dns/name.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";

/** One record of an answer, its data as it is. */
export interface RawRecord {
  readonly name?: Uint8Array;
  readonly type?: number;
  readonly data: Uint8Array;
}

export interface RawAnswer {
  readonly query: Uint8Array;
  /** Beside "this is an answer". */
  readonly flags?: number;
  readonly records?: readonly RawRecord[];
}

/** RFC 1035 §4.1.4: the name of the question, which stands behind the header. */
export const POINTER_TO_QUESTION: Uint8Array = Uint8Array.of(0xc0, 12);

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** The answer to a query, with these records. */
export function dnsAnswer({ query, flags = 0, records = [] }: RawAnswer): Uint8Array<ArrayBuffer> {
  const answer = concat([
    query,
    ...records.map(({ name = POINTER_TO_QUESTION, type = 65, data }) =>
      concat([
        name,
        uint16(type),
        uint16(1),
        new Uint8Array([0, 0, 1, 44]),
        uint16(data.length),
        data,
      ])
    ),
  ]);
  answer.set(uint16(0x8180 | flags), 2);
  answer.set(uint16(records.length), 6);
  return answer;
}

/** The data of an HTTPS record; parameters in the order given. */
export function svcData(
  priority: number,
  target: string,
  params: readonly (readonly [key: number, value: Uint8Array])[] = [],
): Uint8Array {
  return concat([
    uint16(priority),
    target === "." ? Uint8Array.of(0) : encodeName(target),
    ...params.flatMap(([key, value]) => [uint16(key), uint16(value.length), value]),
  ]);
}

/** RFC 9460 §7.1.1: the value of `alpn`. */
export function alpnValue(...names: string[]): Uint8Array {
  return concat(
    names.map((name) => Uint8Array.of(name.length, ...new TextEncoder().encode(name))),
  );
}
