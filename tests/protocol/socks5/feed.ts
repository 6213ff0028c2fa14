import { Socks5Client } from "../../../src/protocol/socks5/client.ts";
import { Socks5Error } from "../../../src/protocol/socks5/codes.ts";
import { type AcceptedMethod, Socks5Server } from "../../../src/protocol/socks5/server.ts";
import type { Steps } from "../../../src/protocol/socks5/steps.ts";
import { feedEveryWay, hex as toHex, type Outcome, withRest } from "../../fuzz/driver.ts";

/** The bytes of hex with blanks, and of text in quotes: `05 01 "abc"`. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(
    text.match(/"[^"]*"|[0-9a-f]{2}/g)!.flatMap((part) =>
      part.startsWith('"') ? [...new TextEncoder().encode(part.slice(1, -1))] : [parseInt(part, 16)]
    ),
  );
}

/** What a server makes of it, whole, byte by byte and cut; what is behind comes as `{ rest }`. */
export function serve(text: string, accepted: readonly AcceptedMethod[]): Outcome {
  const make = () => withRest(new Socks5Server(accepted));
  return feedEveryWay({ name: "", make, valid: null! }, bytesOf(text));
}

/** What a client makes of it that asks for a.example:443, as user u with password p, or as nobody. */
export function ask(text: string, isUser = true): Outcome {
  const make = () => withRest(newClient(isUser));
  return feedEveryWay({ name: "", make, valid: null! }, bytesOf(text));
}

export function newClient(isUser: boolean): Socks5Client {
  const request = { command: 1, host: "a.example", port: 443 } as const;
  return new Socks5Client(request, isUser ? { username: "u", password: "p" } : null);
}

/** What the parser throws for this input, and what it answers; `null` when it takes it. */
export function faultOf(
  parser: Steps<unknown>,
  text: string,
): { code: number; message: string; answer: string | null } | null {
  try {
    parser.push(bytesOf(text));
    while (parser.next() !== null);
    parser.end();
    return null;
  } catch (error) {
    if (!(error instanceof Socks5Error)) throw error;
    const { code, message, answer } = error;
    return { code, message, answer: answer === null ? null : toHex(answer) };
  }
}
