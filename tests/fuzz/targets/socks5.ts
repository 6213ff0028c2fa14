import * as fc from "fast-check";
import type { Socks5Address } from "../../../src/protocol/socks5/address.ts";
import { encodeAuth, encodeAuthStatus } from "../../../src/protocol/socks5/auth.ts";
import { Socks5Client, type Socks5ClientEvent } from "../../../src/protocol/socks5/client.ts";
import { encodeGreeting, encodeMethod } from "../../../src/protocol/socks5/methods.ts";
import {
  encodeReply,
  encodeRequest,
  type Socks5Request,
} from "../../../src/protocol/socks5/request.ts";
import { Socks5Server, type Socks5ServerEvent } from "../../../src/protocol/socks5/server.ts";
import {
  decodeDatagram,
  encodeDatagramHeader,
  type Socks5Datagram,
} from "../../../src/protocol/socks5/udp.ts";
import { formatAddress } from "../../../src/protocol/wire/ip.ts";
import type { Bytes, Codec, Decoder, Run, Target } from "../driver.ts";
import { withRest } from "../driver.ts";
import { join } from "../input.ts";

const ip = fc.constantFrom(4, 16).chain((length) =>
  fc.uint8Array({ minLength: length, maxLength: length })
)
  .map(formatAddress);
const name = fc.string({ unit: fc.constantFrom(..."abz09-._ü漢🙂"), minLength: 1, maxLength: 12 })
  .filter((text) => !/^[0-9.]+$/.test(text));
const long = fc.integer({ min: 250, max: 255 }).map((length) => "x".repeat(length));

/** Hosts as they come back. */
export const host = fc.oneof(ip, name, long);
/** Ports that can be connected to. */
export const port = fc.oneof(
  fc.integer({ min: 1, max: 65535 }),
  fc.constantFrom(1, 255, 256, 65535),
);

const request: fc.Arbitrary<Socks5Request> = fc.record({
  command: fc.constantFrom(1, 2, 3),
  host,
  port,
});
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.integer({ min: 254, max: 255 }).map((length) => "p".repeat(length)),
);
const credentials = fc.record({ username: text, password: text });
const behind = fc.uint8Array({ maxLength: 20 });
const methods = fc.uint8Array({ maxLength: 5 }).map((others) => encodeGreeting([...others, 2]));

const server: Target<Socks5ServerEvent | Run> = {
  name: "SOCKS5 server",
  make: () => withRest(new Socks5Server([2])),
  valid: fc.tuple(methods, credentials, request, behind).map(([greeting, auth, asked, rest]) =>
    join(greeting, encodeAuth(auth), encodeRequest(asked), rest)
  ),
};

const open: Target<Socks5ServerEvent | Run> = {
  name: "SOCKS5 server for all",
  make: () => withRest(new Socks5Server([0, 2])),
  valid: fc.tuple(request, behind).map(([asked, rest]) =>
    join(encodeGreeting([0, 1]), encodeRequest(asked), rest)
  ),
};

const address: fc.Arbitrary<Socks5Address> = fc.record({ host, port: fc.nat(65535) });
const reply = fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8), address)
  .map(([code, bound]) => encodeReply(code, bound));
const asked: Socks5Request = { command: 1, host: "a.example", port: 443 };

const client: Target<Socks5ClientEvent | Run> = {
  name: "SOCKS5 client",
  make: () => withRest(new Socks5Client(asked, { username: "u", password: "p" })),
  valid: fc.oneof(
    fc.tuple(reply, behind).map(([answer, rest]) => join(encodeMethod(0), answer, rest)),
    fc.tuple(reply, behind).map(([answer, rest]) =>
      join(encodeMethod(2), encodeAuthStatus(true), answer, rest)
    ),
  ),
};

export const targets: Target[] = [server, open, client] as Target[];

/** All events of a whole input. */
function allOf<Event>(
  parser: { push(chunk: Bytes): void; next(): Event | null },
  bytes: Bytes,
): Event[] {
  const events: Event[] = [];
  parser.push(bytes);
  for (let event = parser.next(); event !== null; event = parser.next()) events.push(event);
  return events;
}

const conversation: Codec<[{ username: string; password: string }, Socks5Request], Bytes> = {
  name: "SOCKS5 client to server",
  value: fc.tuple(credentials, request),
  encode([auth, wanted]) {
    const talker = new Socks5Client(wanted, auth);
    const events = allOf(talker, join(encodeMethod(2), encodeAuthStatus(true)));
    const sent = events.map((event) => event.type === "send" ? event.bytes : []);
    return join(talker.greeting, ...sent);
  },
  decode: (bytes) => allOf(new Socks5Server([2]), bytes),
  want: ([auth, wanted]) => [
    { type: "methods", method: 2 },
    { type: "auth", ...auth },
    { type: "request", ...wanted },
  ],
};

const answer: Codec<Socks5Address, Bytes> = {
  name: "SOCKS5 server to client",
  value: address,
  encode: (bound) => join(encodeMethod(0), encodeReply(0, bound)),
  decode: (bytes) => allOf(new Socks5Client(asked), bytes).at(-1),
  want: (bound) => ({ type: "reply", reply: 0, ...bound }),
};

const datagram: Codec<Socks5Datagram, Bytes> = {
  name: "SOCKS5 datagram",
  value: fc.record({ host, port, data: behind }),
  encode: (value) => join(encodeDatagramHeader(value), value.data),
  decode: decodeDatagram,
};

export const codecs: Codec[] = [conversation, answer, datagram] as Codec[];

export const decoders: Decoder[] = [
  { name: "SOCKS5 datagram", decode: decodeDatagram, valid: datagram.value.map(datagram.encode) },
];
