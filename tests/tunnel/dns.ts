// RFC 1035 §4.1: as much of DNS as a question and an answer take.

/** A question for the address of a name. */
export function queryFor(id: number, name: string): Uint8Array {
  const labels = name.split(".").flatMap((label) => [
    label.length,
    ...new TextEncoder().encode(label),
  ]);
  const header = [id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return Uint8Array.of(...header, ...labels, 0, 0, 1, 0, 1);
}

/** The name that a question asks for, with the root's dot. */
export function nameIn(query: Uint8Array): string {
  let name = "";
  for (let at = 12; query[at] > 0; at += 1 + query[at]) {
    name += new TextDecoder().decode(query.subarray(at + 1, at + 1 + query[at])) + ".";
  }
  return name;
}

/** The answer of a server that knows one address for all names. */
export function answerTo(query: Uint8Array, address: string): Uint8Array {
  const answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)];
  const bytes = Uint8Array.of(...query, ...answer);
  bytes.set([0x81, 0x80, 0, 1, 0, 1], 2);
  return bytes;
}
