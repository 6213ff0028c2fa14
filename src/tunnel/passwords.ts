import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** What scrypt costs: 2^ln rounds of r blocks, p times. */
interface Cost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** OWASP Password Storage Cheat Sheet: 32 MiB for each try. */
const COST: Cost = { ln: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** RFC 7914 §2: it takes 128 * r * N bytes; more than this a hash in a file may not ask for. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** A hash that was read: of a user that does not exist too, so that both take as long. */
export interface PasswordHash {
  readonly cost: Cost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** A password's hash in the PHC string format: `$scrypt$ln=15,r=8,p=3$salt$hash`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { cost: COST, salt, length: HASH_BYTES });
  const { ln, r, p } = COST;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Reads what `hashPassword` writes; throws `TypeError`, without the hash in it. */
export function parsePasswordHash(text: string): PasswordHash {
  const found = PHC.exec(text);
  if (found === null) {
    throw new TypeError("is no $scrypt$ln=..,r=..,p=..$salt$hash: `h3ws passwd` makes one");
  }
  const [ln, r, p] = found.slice(1, 4).map(Number);
  if (ln < 1 || r < 1 || p < 1 || 128 * r * 2 ** ln > MAX_MEMORY_BYTES) {
    throw new TypeError(`asks for ln=${ln}, r=${r}: expected no more than 256 MiB of memory`);
  }
  const [salt, hash] = found.slice(4).map((one) => Buffer.from(one, "base64"));
  if (hash.length < 16) throw new TypeError("has a hash of less than 16 bytes");
  return { cost: { ln, r, p }, salt, hash };
}

/** Whether it is the password; takes as long whether it is or not. */
export async function isPassword(password: string, known: PasswordHash): Promise<boolean> {
  const { cost, salt, hash } = known;
  return timingSafeEqual(await derive(password, { cost, salt, length: hash.length }), hash);
}

function derive(
  password: string,
  { cost: { ln, r, p }, salt, length }: { cost: Cost; salt: Uint8Array; length: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { N: 2 ** ln, r, p, maxmem: MAX_MEMORY_BYTES + 1024 * 1024 };
    scrypt(password.normalize("NFC"), salt, length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}
