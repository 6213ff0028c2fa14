// What the rows of the smuggling table are made of.

/** A request that two readers may read in two ways; each character of `bytes` is one byte. */
export interface Request {
  /** The trick. */
  readonly name: string;
  readonly bytes: string;
  /** With what it is refused; 200 for one that is legal. */
  readonly status: number;
  /** The one right reading, where it is legal. */
  readonly reading?: Reading;
}

/** A request as it must be read. */
export interface Reading {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

export const HOST = "Host: a.example\r\n";

/** What an attacker would like to be run. */
export const INNER = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`;

/** A GET without a body. */
export function get(lines: string): string {
  return `GET /first HTTP/1.1\r\n${HOST}${lines}\r\n`;
}

/** A POST; unless it is given, its body is one that both framings could end, and one more request. */
export function post(lines: string, body = `0\r\n\r\n${INNER}`, version = "1.1"): string {
  return `POST /first HTTP/${version}\r\n${HOST}${lines}\r\n${body}`;
}

/** A chunked POST. */
export function chunked(body: string): string {
  return post("Transfer-Encoding: chunked\r\n", body);
}

/** A POST whose body is the inner request, with its length behind `start`. */
export function withInner(start: string, end = ""): string {
  return post(`${start}${INNER.length}${end}\r\n`, INNER);
}

/** Rows with one status. */
export function refused(status: number, rows: string[][]): Request[] {
  return rows.map(([name, bytes]) => ({ name, bytes, status }));
}

/** A row that is legal; what is not told is that of a request without a body. */
export function legal(name: string, bytes: string, reading: Partial<Reading> = {}): Request {
  const method = bytes.trimStart().split(" ", 1)[0];
  const usual = { method, authority: "a.example", path: "/first", body: "", trailers: [] };
  return { name, bytes, status: 200, reading: { ...usual, ...reading } };
}
