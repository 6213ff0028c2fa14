import { Buffer } from "node:buffer";
import { createHmac, randomBytes } from "node:crypto";
import { z } from "zod";
import { fetchFailureOf } from "../net/error.ts";
import type { Authenticate, AuthenticatedUser, Credentials } from "./users.ts";

export interface ForwardAuthOptions {
  /** What is asked, by GET. */
  readonly url: URL;
  /** How long an answer may take; default 5 s. */
  readonly timeoutMs?: number;
  /** For so long who was let in is not asked about again; default 10 s, 0 for never. */
  readonly cacheMs?: number;
}

const TIMEOUT_MS = 5_000;
const CACHE_MS = 10_000;
const MAX_CACHED = 10_000;
const MAX_BODY_BYTES = 64 * 1024;
// Those that say "no", not "not now".
const NO: ReadonlySet<number> = new Set([400, 401, 403, 404, 407]);

const seconds = z.number().positive().transform((value) => value * 1000);
const date = z.string().transform((text) => Date.parse(text)).refine((ms) => !Number.isNaN(ms));
const said = z.object({
  user: z.string().min(1).max(128).optional(),
  groups: z.array(z.string().min(1).max(128)).optional(),
  expires_at: z.union([seconds, date]).optional(),
});

/**
 * Has an HTTP server decide. It gets Authorization as it was given, and X-Forwarded-For, -Method
 * and -Uri (`/agent`, `/client`); a 2xx lets in. A body of JSON may say who it is: `user`, `groups`,
 * `expires_at` in seconds since 1970 or as RFC 3339.
 */
export function forwardAuth(options: ForwardAuthOptions): Authenticate {
  const { cacheMs = CACHE_MS } = options;
  const known = new Map<string, { answer: Promise<AuthenticatedUser | null>; untilMs: number }>();
  const key = randomBytes(32);
  return async (credentials) => {
    // No secret is kept for it.
    const id = createHmac("sha256", key).update(JSON.stringify(credentials)).digest("base64");
    const cached = known.get(id);
    if (cached !== undefined && cached.untilMs > Date.now()) return await cached.answer;
    const answer = ask(options, credentials);
    // Those who come meanwhile wait for the same.
    const entry = { answer, untilMs: Infinity };
    known.delete(id);
    known.set(id, entry);
    if (known.size > MAX_CACHED) known.delete(known.keys().next().value!);
    const forget = () => void (known.get(id) === entry && known.delete(id));
    try {
      const user = await answer;
      const { expiresAtMs = Infinity } = user ?? {};
      entry.untilMs = user === null ? 0 : Math.min(Date.now() + cacheMs, expiresAtMs);
      if (entry.untilMs <= Date.now()) forget();
      return user;
    } catch (error) {
      forget();
      throw error;
    }
  };
}

async function ask(
  { url, timeoutMs = TIMEOUT_MS }: ForwardAuthOptions,
  credentials: Credentials,
): Promise<AuthenticatedUser | null> {
  const authorization = authorizationOf(credentials);
  if (authorization === null && credentials.certificate === undefined) return null;
  const { role, ip, certificate } = credentials;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      headers: {
        ...(authorization !== null && { authorization }),
        ...(certificate !== undefined && { "x-forwarded-client-cert-subject": certificate }),
        accept: "application/json",
        "x-forwarded-for": ip,
        "x-forwarded-method": "CONNECT",
        "x-forwarded-uri": `/${role}`,
      },
      // A login page is no yes.
      redirect: "manual",
      signal,
    });
    const body = await bodyOf(response);
    if (NO.has(response.status)) return null;
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return userOf(credentials, body);
  } catch (error) {
    const why = signal.aborted ? `no answer within ${timeoutMs} ms` : fetchFailureOf(error);
    throw new Error(`${url.origin}${url.pathname}: ${why}`, { cause: error });
  }
}

/** RFC 7617 §2: a name can't have a colon. */
function authorizationOf({ username, password, token }: Credentials): string | null {
  if (token !== undefined) return /^[\x21-\x7e]+$/.test(token) ? `Bearer ${token}` : null;
  if (username === "" || username.includes(":")) return null;
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error(`it answered more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function userOf({ username, certificate }: Credentials, body: string): AuthenticatedUser {
  const isJson = body.trimStart().startsWith("{");
  const given = isJson ? said.safeParse(JSON.parse(body)) : null;
  if (given?.success === false) {
    throw new Error(`it answered a wrong ${given.error.issues[0].path.join(".")}`);
  }
  const { user, groups, expires_at } = given?.data ?? {};
  const name = user ?? (username || certificate);
  if (name === undefined) throw new Error("it did not say whose token it is");
  return {
    name,
    ...(groups !== undefined && { groups }),
    ...(expires_at !== undefined && { expiresAtMs: expires_at }),
  };
}
