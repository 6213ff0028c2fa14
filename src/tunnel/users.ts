import { Buffer } from "node:buffer";
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { isPassword, parsePasswordHash, type PasswordHash } from "./passwords.ts";
import { Tries } from "./tries.ts";

/** What a user may be. */
export type Role = "agent" | "client";

/** One of those who may use a gateway. */
export interface User {
  readonly name: string;
  /** As it is, or as `hashPassword` makes it; or neither, for who has a token. */
  readonly password?: string;
  readonly passwordHash?: string;
  /** SHA-256 of a token in hex: a token is random, and needs no slow hash. */
  readonly tokenSha256?: string;
  /** Default both. */
  readonly roles?: readonly Role[];
  /** An agent's groups, the first by default; those that a client may go through. Default any. */
  readonly groups?: readonly string[];
  /** The ports of the gateway that his agents may open, from and to. Default those of all users. */
  readonly openPorts?: readonly PortRange[];
}

/** The first port, and the last. */
export type PortRange = readonly [number, number];

/** How somebody says who he is. */
export interface Credentials {
  readonly username: string;
  /** A token is given in its place. */
  readonly password: string;
  /** The IP address, for who fails too often. */
  readonly ip: string;
  readonly role: Role;
}

/** Who it is, or why not; nobody is told which of the two was wrong. */
export type Verdict =
  | { readonly kind: "user"; readonly user: User }
  | { readonly kind: "wrong" }
  | { readonly kind: "later"; readonly waitMs: number };

/** Decides in place of a list of users. */
export type Authenticate = (credentials: Credentials) => Promise<User | null>;

interface Known {
  readonly user: User;
  readonly hash: PasswordHash | null;
  /** Of the password that was right last: who opens many connections pays for one hash. */
  mac: Uint8Array | null;
}

// Nobody's: so that a name that is not there takes as long as a password that is wrong.
const NOBODY = parsePasswordHash(
  "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
);

/** The users of a gateway. */
export class Users {
  #known: ReadonlyMap<string, Known> = new Map();
  readonly #tries: Tries;
  readonly #authenticate: Authenticate | null;

  /** Throws `TypeError` for a hash that is none. */
  constructor(
    users: readonly User[],
    { tries = new Tries(), authenticate = null }: {
      tries?: Tries;
      authenticate?: Authenticate | null;
    } = {},
  ) {
    this.#tries = tries;
    this.#authenticate = authenticate;
    this.replace(users);
  }

  /** From now on it is these; gives the names of those that are gone or changed. */
  replace(users: readonly User[]): string[] {
    const known = new Map(users.map((user) => [user.name, knownOf(user)]));
    const gone = [...this.#known].filter(([name, { user }]) => {
      const now = known.get(name);
      return now === undefined || JSON.stringify(now.user) !== JSON.stringify(user);
    });
    this.#known = known;
    return gone.map(([name]) => name);
  }

  /** Who it is that says so. */
  async verify(credentials: Credentials): Promise<Verdict> {
    const { username, ip } = credentials;
    const keys = [`ip ${ip}`, `user ${username}`];
    const waitMs = this.#tries.waitMs(keys);
    if (waitMs > 0) return { kind: "later", waitMs };
    const user = await this.#find(credentials);
    if (user === null) {
      this.#tries.failed(keys);
      return { kind: "wrong" };
    }
    this.#tries.succeeded(keys);
    return { kind: "user", user };
  }

  async #find(credentials: Credentials): Promise<User | null> {
    const { username, password, role } = credentials;
    if (this.#authenticate !== null) return await this.#authenticate(credentials);
    const known = this.#known.get(username) ?? null;
    const isRight = known !== null && isRightAtOnce(known, password) ||
      await isRightByHash(known, password);
    if (known === null || !isRight) return null;
    return known.user.roles?.includes(role) === false ? null : known.user;
  }
}

function knownOf(user: User): Known {
  const { passwordHash } = user;
  const hash = passwordHash === undefined ? null : parsePasswordHash(passwordHash);
  return { user, hash, mac: null };
}

/** Whether it is the token, the password where that is known, or the one that was right before. */
function isRightAtOnce({ user, mac }: Known, password: string): boolean {
  const given = sha256(password);
  const token = user.tokenSha256 === undefined ? null : Buffer.from(user.tokenSha256, "hex");
  const plain = user.password === undefined ? null : sha256(user.password);
  return isSame(given, token) || isSame(given, plain) || isSame(macOf(password), mac);
}

/** Where there is no hash it is nobody's that is tried. */
async function isRightByHash(known: Known | null, password: string): Promise<boolean> {
  const hash = known?.hash ?? null;
  if (!await isPassword(password, hash ?? NOBODY) || known === null || hash === null) return false;
  known.mac = macOf(password);
  return true;
}

function isSame(a: Uint8Array, b: Uint8Array | null): boolean {
  return b !== null && a.length === b.length && timingSafeEqual(a, b);
}

const macKey = randomBytes(32);

function macOf(password: string): Uint8Array {
  return createHmac("sha256", macKey).update(password.normalize("NFC")).digest();
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text.normalize("NFC")).digest();
}
