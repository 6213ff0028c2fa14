// RFC 1928, RFC 1929: what the bytes say.
import { PeerError } from "../wire/error.ts";
import { namer } from "../wire/names.ts";

/** RFC 1928 §3. */
export const SOCKS_VERSION = 5;

/** RFC 1929 §2: the version of the subnegotiation, not of SOCKS. */
export const AUTH_VERSION = 1;

/** RFC 1929 §2: STATUS of what is right; any other is a failure. */
export const AUTH_SUCCESS = 0;
export const AUTH_FAILURE = 1;

/**
 * RFC 1928 §3. It wants GSSAPI of every implementation; hardly one has it, and nobody is offered it
 * here.
 */
export const Socks5Method = {
  NO_AUTHENTICATION_REQUIRED: 0x00,
  GSSAPI: 0x01,
  USERNAME_PASSWORD: 0x02,
  NO_ACCEPTABLE_METHODS: 0xff,
} as const;

/** RFC 1928 §4. */
export const Socks5Command = {
  CONNECT: 1,
  BIND: 2,
  UDP_ASSOCIATE: 3,
} as const;

export type Socks5Command = typeof Socks5Command[keyof typeof Socks5Command];

/** RFC 1928 §5. */
export const Socks5AddressType = {
  IPV4: 1,
  DOMAINNAME: 3,
  IPV6: 4,
} as const;

/** RFC 1928 §6: what became of a request. */
export const Socks5Reply = {
  SUCCEEDED: 0,
  GENERAL_FAILURE: 1,
  NOT_ALLOWED: 2,
  NETWORK_UNREACHABLE: 3,
  HOST_UNREACHABLE: 4,
  CONNECTION_REFUSED: 5,
  TTL_EXPIRED: 6,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_TYPE_NOT_SUPPORTED: 8,
} as const;

export type Socks5Reply = typeof Socks5Reply[keyof typeof Socks5Reply];

/** The name of a reply; a code that RFC 1928 leaves unassigned comes as hex. */
export const socks5ReplyName: (value: number) => string = namer(Socks5Reply);

/** The name of a command; one that is not of RFC 1928 comes as hex. */
export const socks5CommandName: (value: number) => string = namer(Socks5Command);

/**
 * A rule of SOCKS5 that the peer broke. `code` is a reply code, or the method 0xff; `answer` is what
 * it is told before the connection is closed, `null` for nothing.
 */
export class Socks5Error extends PeerError {
  override name = "Socks5Error";
  readonly answer: Uint8Array | null;

  constructor(code: number, message: string, answer: Uint8Array | null = null) {
    super(code, "connection", message);
    this.answer = answer;
  }
}

/** What breaks a rule and is not answered: who sent it does not speak SOCKS5, or is a server. */
export function unanswered(message: string): Socks5Error {
  return new Socks5Error(Socks5Reply.GENERAL_FAILURE, message);
}
