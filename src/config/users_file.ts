// A file of users: `users: [{ name, password_hash | token_sha256, roles, groups, max_conns, ... }]`.
import { z } from "zod";
import { parsePasswordHash } from "../tunnel/passwords.ts";
import type { User } from "../tunnel/users.ts";
import { ValueError } from "./error.ts";
import type { FormFault } from "./file_form.ts";
import { decodeFile, readFile } from "./file_read.ts";
import { map, ofKind, oneOrMore, text, textOf, textOfKind, valueOf } from "./file_values.ts";
import type { Environment } from "./flags.ts";
import { choice, count, size } from "./kinds.ts";
import { isUserName, optionalName, portRange } from "./tunnel_kinds.ts";

const HASH_ALLOWED = "what h3ws passwd writes";

/** What is wrong with it is told without it. */
const passwordHash = valueOf((input) => {
  const hash = textOf(input, HASH_ALLOWED);
  try {
    parsePasswordHash(hash);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ValueError(error.message, HASH_ALLOWED, null);
  }
  return hash;
}, { type: "string" });

const TOKEN_ALLOWED = "64 hexadecimal digits: printf %s TOKEN | sha256sum";

const tokenSha256 = valueOf((input) => {
  const digest = textOf(input, TOKEN_ALLOWED);
  if (/^[0-9a-f]{64}$/i.test(digest)) return digest.toLowerCase();
  throw new ValueError("is no SHA-256", TOKEN_ALLOWED, null);
}, { type: "string" });

const SUBJECT_ALLOWED = "the subject of a certificate as RFC 4514 writes it: CN=agent-1,O=Example";

const user = map({
  name: text(isUserName, { allowed: "1 to 128 characters without : and @", meaning: "" }),
  password_hash: passwordHash.optional(),
  token_sha256: tokenSha256.optional(),
  certificate: text((subject) => /^[\x20-\x7e]{1,1024}$/.test(subject) && subject.includes("="), {
    allowed: SUBJECT_ALLOWED,
    meaning: "",
  }).optional(),
  roles: oneOrMore(textOfKind(choice(["agent", "client"]), {})).optional(),
  groups: oneOrMore(textOfKind(optionalName, {})).optional(),
  open_ports: oneOrMore(ofKind(portRange)).optional(),
  max_conns: ofKind(count({ min: 0 })).optional(),
  new_conns: ofKind(count({ min: 0 })).optional(),
  rate: ofKind(size({ min: 0 })).optional(),
});

const schema = map({ users: z.array(user) });

/**
 * The users of a file. `file` stands in messages.
 *
 * @throws {ConfigFileError} with all that is wrong in it, but never a hash
 */
export function parseUsers(
  given: string | Uint8Array,
  options: { file: string; env?: Environment },
): User[] {
  const text = typeof given === "string" ? given : decodeFile(given, options.file);
  const { data } = readFile(text, { schema, formFaults }, options);
  return data.users.map((one) => ({
    name: one.name,
    ...(one.password_hash !== undefined && { passwordHash: one.password_hash }),
    ...(one.token_sha256 !== undefined && { tokenSha256: one.token_sha256 }),
    ...(one.certificate !== undefined && { certificate: one.certificate }),
    ...(one.roles !== undefined && { roles: one.roles as ("agent" | "client")[] }),
    ...(one.groups !== undefined && { groups: one.groups }),
    ...(one.open_ports !== undefined && { openPorts: one.open_ports }),
    ...limitsOf(one),
  }));
}

function limitsOf(
  { max_conns, new_conns, rate }: { max_conns?: number; new_conns?: number; rate?: number },
): Pick<User, "limits"> {
  const limits = {
    ...(max_conns !== undefined && { maxConnections: max_conns }),
    ...(new_conns !== undefined && { newPerSecond: new_conns }),
    ...(rate !== undefined && { bytesPerSecond: rate }),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

/** Who comes twice, or has nothing to say who he is with. */
function formFaults(value: unknown): FormFault[] {
  const { users } = value as { users?: unknown };
  const names = new Map<unknown, number>();
  return (Array.isArray(users) ? users : []).flatMap((one, i) => {
    if (typeof one !== "object" || one === null) return [];
    const faults: FormFault[] = [];
    const path = ["users", i];
    const before = names.get(one.name);
    if (before === undefined) names.set(one.name, i);
    else {faults.push({
        path: [...path, "name"],
        problem: `is the name of users[${before}] already`,
      });}
    const secrets = [one.password_hash, one.token_sha256, one.certificate];
    if (secrets.every((secret) => secret === undefined)) {
      const allowed = "password_hash, token_sha256 or certificate";
      faults.push({ path, problem: "has no secret", allowed });
    }
    return faults;
  });
}
