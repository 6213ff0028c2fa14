import { Buffer } from "node:buffer";
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { isPassword, parsePasswordHash, type PasswordHash } from "./passwords.ts";
import type { Pass, User } from "./users.ts";

/** A user as his list has him; who is let in as him is so for as long as it does. */
export class Known implements Pass {
  readonly expiresAtMs = Infinity;
  readonly user: User;
  readonly hash: PasswordHash | null;
  /** Of the password that was right last: who opens many connections pays for one hash. */
  mac: Uint8Array | null = null;
  isOver = false;

  constructor(user: User) {
    this.user = user;
    this.hash = user.passwordHash === undefined ? null : parsePasswordHash(user.passwordHash);
  }
}

// Nobody's: so that a name that is not there takes as long as a password that is wrong.
const NOBODY = parsePasswordHash(
  "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
);

/** Whether it is the token, the password where that is known, or the one that was right before. */
export function isRightAtOnce({ user, mac }: Known, password: string): boolean {
  const given = sha256(password);
  const token = user.tokenSha256 === undefined ? null : Buffer.from(user.tokenSha256, "hex");
  const plain = user.password === undefined ? null : sha256(user.password);
  return isSame(given, token) || isSame(given, plain) || isSame(macOf(password), mac);
}

/** Where there is no hash it is nobody's that is tried. */
export async function isRightByHash(known: Known | null, password: string): Promise<boolean> {
  const hash = known?.hash ?? null;
  if (!await isPassword(password, hash ?? NOBODY) || known === null || hash === null) return false;
  known.mac = macOf(password);
  return true;
}

function isSame(a: Uint8Array, b: Uint8Array | null): boolean {
  return b !== null && a.length === b.length && timingSafeEqual(a, b);
}

const macKey = randomBytes(32);

/** Of a secret, by a key of this process alone. */
export function macOf(text: string): Buffer {
  return createHmac("sha256", macKey).update(text.normalize("NFC")).digest();
}

/** Of a secret, whichever way its letters are composed. */
export function sha256(text: string): Buffer {
  return createHash("sha256").update(text.normalize("NFC")).digest();
}
