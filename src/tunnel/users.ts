import type { CancelSignal } from "../net/cancel.ts";
import { messageOf } from "../net/error.ts";
import { networkOf } from "../proxy/client_shares.ts";
import { Familiar } from "./familiar.ts";
import { isRightAtOnce, isRightByHash, Known, macOf, sha256 } from "./known_user.ts";
import type { Limits } from "./limits.ts";
import { Tries } from "./tries.ts";
import { Turns } from "./turns.ts";

/** What a user may be. */
export type Role = "agent" | "client";

/** One of those who may use a gateway. */
export interface User {
  /** 1 to 128 characters without `:` and `@`. */
  readonly name: string;
  /** As it is, or as `hashPassword` makes it; or neither, for who has a token or a certificate. */
  readonly password?: string;
  /** See `password`. */
  readonly passwordHash?: string;
  /** SHA-256 of a token in hex: a token is random, and needs no slow hash. */
  readonly tokenSha256?: string;
  /** The subject of a certificate, as RFC 4514 writes it: `CN=agent-1,O=Example`. */
  readonly certificate?: string;
  /** Default both. */
  readonly roles?: readonly Role[];
  /** An agent's groups, the first by default; those that a client may go through. Default any. */
  readonly groups?: readonly string[];
  /** The ports of the gateway that his agents may open, from and to. Default those of all users. */
  readonly openPorts?: readonly PortRange[];
  /** What he may have as a client, each before what all users may; 0 for no limit. */
  readonly limits?: Limits;
}

/** The first port, and the last. */
export type PortRange = readonly [number, number];

/** How somebody says who he is: by name and password, by a token alone, or by a certificate. */
export interface Credentials {
  /** Empty for who says it another way. */
  readonly username: string;
  /** A token may be given in its place. */
  readonly password: string;
  /** In the place of both. */
  readonly token?: string;
  /** The subject of a certificate that is trusted. */
  readonly certificate?: string;
  /** The IP address, for who fails too often. */
  readonly ip: string;
  /** As what he comes. */
  readonly role: Role;
}

/** What somebody is let in by. */
export interface Pass {
  /** As `Date.now()`; Infinity for no end. */
  readonly expiresAtMs: number;
  /** Whether its user is gone or changed, or its time is up. */
  readonly isOver: boolean;
}

/** Who it is, or why not; nobody is told which of the two was wrong. */
export type Verdict =
  | { readonly kind: "user"; readonly user: User; readonly pass: Pass }
  | { readonly kind: "wrong" }
  | { readonly kind: "later"; readonly waitMs: number }
  /** Nobody could say; the reason is for the log. */
  | { readonly kind: "unknown"; readonly reason: string };

/** A user that is one until then, as `Date.now()`. */
export interface AuthenticatedUser extends User {
  /** Then his connections end, too; default never. */
  readonly expiresAtMs?: number;
}

/**
 * Decides in place of a list of users; `null` for who is none. What it throws is no failure of those
 * who ask: they are turned away for now.
 */
export type Authenticate = (credentials: Credentials) => Promise<AuthenticatedUser | null>;

export interface UsersOptions {
  readonly tries?: Tries;
  readonly authenticate?: Authenticate | null;
}

/** Each takes 32 MiB and a core. */
const MAX_HASHES = 4;
/** Those who wait for a hash: as many as get theirs while they still may say who they are. */
const MAX_WAITING = 50;

const BUSY = "too many wait for their passwords to be looked at";
const GONE = "whoever asked waits no more";

/** For whom one is looked for. */
interface Asked {
  /** Whose failures count. */
  readonly keys: readonly string[];
  readonly signal: CancelSignal | null;
}

/** The users of a gateway. */
export class Users {
  #known: ReadonlyMap<string, Known> = new Map();
  readonly #tries: Tries;
  readonly #familiar: Familiar;
  readonly #authenticate: Authenticate | null;
  readonly #hashes = new Turns({ most: MAX_HASHES, maxWaiting: MAX_WAITING });
  /** By the hash of what was said, until it is known whether it is right, or nobody looks. */
  readonly #guesses = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<() => void>();

  /** Throws `TypeError` for a hash that is none. */
  constructor(users: readonly User[], options: UsersOptions = {}) {
    const { tries = new Tries(), authenticate = null } = options;
    this.#tries = tries;
    this.#familiar = new Familiar(() => tries.nowMs);
    this.#authenticate = authenticate;
    this.replace(users);
  }

  /**
   * From now on it is these; gives the names of those that are gone or changed. Their passes are
   * over, and whoever listens is told so.
   */
  replace(users: readonly User[]): string[] {
    const known = new Map(users.map((user) => [user.name, new Known(user)]));
    const gone: string[] = [];
    for (const [name, before] of this.#known) {
      const now = known.get(name);
      // What it was let in by stays what it is.
      if (now !== undefined && isSameUser(now.user, before.user)) known.set(name, before);
      else {
        before.isOver = true;
        gone.push(name);
      }
    }
    this.#known = known;
    if (gone.length > 0) { for (const listener of this.#listeners) listener(); }
    return gone;
  }

  /**
   * Calls back whenever passes are over because their users are gone or changed, until what it gives
   * is called.
   */
  onGone(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Who it is that says so. By `signal` nobody waits for it any more: no password is looked at then. */
  async verify(credentials: Credentials, signal: CancelSignal | null = null): Promise<Verdict> {
    const keys = this.#keysOf(credentials);
    const later = this.#later(keys);
    if (later !== null) return later;
    let found: Verdict | null;
    try {
      found = await this.#find(credentials, { keys, signal });
    } catch (error) {
      return { kind: "unknown", reason: messageOf(error) };
    }
    if (found === null) {
      this.#tries.failed(keys);
      return { kind: "wrong" };
    }
    if (found.kind === "user") this.#succeeded(credentials, keys);
    return found;
  }

  #succeeded({ username, ip }: Credentials, keys: readonly string[]): void {
    this.#tries.succeeded(keys);
    if (username !== "") this.#familiar.add(username, networkOf(ip));
  }

  /**
   * Whose failures count. Who has no name fails as an address alone; and those of strangers, who
   * may have many addresses, do not keep a user from where he got in: there they have a count apart.
   */
  #keysOf({ username, ip }: Credentials): string[] {
    const network = networkOf(ip);
    const from = `ip ${network}`;
    if (username === "") return [from];
    const isFamiliar = this.#familiar.has(username, network);
    return [from, isFamiliar ? `at ${network} ${username}` : `user ${username}`];
  }

  #later(keys: readonly string[]): Verdict | null {
    const waitMs = this.#tries.waitMs(keys);
    return waitMs > 0 ? { kind: "later", waitMs } : null;
  }

  /** `null` for nobody. */
  async #find(credentials: Credentials, asked: Asked): Promise<Verdict | null> {
    const { password, role } = credentials;
    if (this.#authenticate !== null) {
      const user = await this.#authenticate(credentials);
      return user === null || !mayBe(user, role) ? null : passFor(user);
    }
    const known = this.#knownBy(credentials);
    const isBySecret = isTokenOrCertificate(credentials);
    if (isBySecret || known !== null && isRightAtOnce(known, password)) {
      return verdictOf(known, role);
    }
    return await this.#findByHash(credentials, known, asked);
  }

  /** Who opens many connections at once says the same in each: they wait for one hash. */
  async #findByHash(
    credentials: Credentials,
    known: Known | null,
    asked: Asked,
  ): Promise<Verdict | null> {
    const { username, password, ip, role } = credentials;
    const said = JSON.stringify([networkOf(ip), username, password]);
    const guess = macOf(said).toString("base64");
    for (let same; (same = this.#guesses.get(guess)) !== undefined;) {
      const verdict = await same;
      if (known !== null && isRightAtOnce(known, password)) return verdictOf(known, role);
      // It has counted as a failure, once.
      if (verdict === null) return { kind: "wrong" };
    }
    const looking = this.#look(credentials, known, asked);
    this.#guesses.set(guess, looking);
    try {
      return await looking;
    } finally {
      this.#guesses.delete(guess);
    }
  }

  async #look(
    { password, ip, role }: Credentials,
    known: Known | null,
    { keys, signal }: Asked,
  ): Promise<Verdict | null> {
    if (!await this.#hashes.take(networkOf(ip), signal)) {
      return { kind: "unknown", reason: signal?.aborted ? GONE : BUSY };
    }
    try {
      // Others may have failed, or been right, meanwhile.
      const later = this.#later(keys);
      if (later !== null) return later;
      const isRight = known !== null && isRightAtOnce(known, password) ||
        await isRightByHash(known, password);
      return isRight ? verdictOf(known, role) : null;
    } finally {
      this.#hashes.free();
    }
  }

  #knownBy({ username, token, certificate }: Credentials): Known | null {
    if (token !== undefined) {
      // What is compared is the hash of what was given: how long that takes says nothing of it.
      const hash = sha256(token).toString("hex");
      return this.#first(({ tokenSha256 }) => tokenSha256?.toLowerCase() === hash);
    }
    if (certificate !== undefined) return this.#first((user) => user.certificate === certificate);
    return this.#known.get(username) ?? null;
  }

  #first(is: (user: User) => boolean): Known | null {
    for (const known of this.#known.values()) if (is(known.user)) return known;
    return null;
  }
}

function isTokenOrCertificate({ token, certificate }: Credentials): boolean {
  return token !== undefined || certificate !== undefined;
}

function mayBe({ roles }: User, role: Role): boolean {
  return roles?.includes(role) !== false;
}

/** A user that was changed or removed while his password was looked at is nobody any more. */
function verdictOf(known: Known | null, role: Role): Verdict | null {
  if (known === null || known.isOver || !mayBe(known.user, role)) return null;
  return { kind: "user", user: known.user, pass: known };
}

function passFor(user: AuthenticatedUser): Verdict | null {
  const { expiresAtMs = Infinity } = user;
  const pass: Pass = {
    expiresAtMs,
    get isOver() {
      return Date.now() >= expiresAtMs;
    },
  };
  return pass.isOver ? null : { kind: "user", user, pass };
}

function isSameUser(a: User, b: User): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
