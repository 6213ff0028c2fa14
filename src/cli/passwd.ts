import { plainFlag } from "../config/flags.ts";
import { optionalUserName } from "../config/tunnel_kinds.ts";
import { hashPassword } from "../tunnel/passwords.ts";
import { type Command, CommandError, defineCommand, ExitCode } from "./command.ts";
import type { Io } from "./io.ts";
import { LISTED } from "./listed.ts";

const MAX_BYTES = 4096;

/** `h3ws passwd`: the hash of a password, for a file of users. */
export const passwdCommand: Command = defineCommand({
  ...LISTED.passwd,
  flags: {
    name: plainFlag({
      ...{ name: "name", kind: optionalUserName, default: "" },
      meaning: "whose it is: a whole file of this one user is written; without it the hash alone",
    }),
  },
  positional: "name",
  async run({ name }, io) {
    const password = Deno.stdin.isTerminal() ? await fromTerminal(io) : await fromPipe();
    if (password === "") throw new CommandError("passwd: the password is empty");
    if (/\p{Cc}/u.test(password)) {
      throw new CommandError("passwd: the password has control characters in it");
    }
    const hash = await hashPassword(password);
    io.out(
      name === null ? `${hash}\n` : `users:\n  - name: ${JSON.stringify(name)}\n    ` +
        `password_hash: ${JSON.stringify(hash)}\n`,
    );
    return ExitCode.OK;
  },
});

/** The first line of stdin, without its end. */
async function fromPipe(): Promise<string> {
  let text = "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const chunk of Deno.stdin.readable) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_BYTES) throw new CommandError("passwd: the password is too long");
    }
    text += decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new CommandError("passwd: the password is not in UTF-8");
    throw error;
  }
  return text.replace(/\r?\n$/, "");
}

/** Asked for twice, and not shown. */
async function fromTerminal(io: Io): Promise<string> {
  const first = await ask(io, "Password: ");
  const again = await ask(io, "The same again: ");
  if (first !== again) throw new CommandError("passwd: those are two different ones");
  return first;
}

const [CTRL_C, CTRL_D, BACKSPACE, CTRL_U, DELETE] = [0x03, 0x04, 0x08, 0x15, 0x7f];
const INTERRUPTED = 130;

/** A line of the terminal that is not shown. */
async function ask(io: Io, prompt: string): Promise<string> {
  let bytes: number[] = [];
  // Before it is asked for: what is typed at once would be shown.
  Deno.stdin.setRaw(true);
  io.err(prompt);
  try {
    // One at a time: what is typed ahead is the next question's.
    for (const byte = new Uint8Array(1);;) {
      const count = await Deno.stdin.read(byte);
      if (count === null || byte[0] === CTRL_D || byte[0] === 0x0d || byte[0] === 0x0a) break;
      if (byte[0] === CTRL_C) {
        Deno.stdin.setRaw(false);
        io.err("\n");
        Deno.exit(INTERRUPTED);
      }
      if (byte[0] === BACKSPACE || byte[0] === DELETE) bytes = withoutLast(bytes);
      else if (byte[0] === CTRL_U) bytes = [];
      else if (bytes.length < MAX_BYTES) bytes.push(byte[0]);
    }
  } finally {
    Deno.stdin.setRaw(false);
    io.err("\n");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  } catch {
    throw new CommandError("passwd: the password is not in UTF-8");
  }
}

/** RFC 3629: 10xxxxxx goes on with a character. */
function withoutLast(bytes: readonly number[]): number[] {
  let end = bytes.length - 1;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.slice(0, Math.max(0, end));
}
