import assert from "node:assert/strict";
import { ConfigFileError } from "../../src/config/file.ts";
import { parseUsers } from "../../src/config/users_file.ts";

const HASH =
  "$scrypt$ln=15,r=8,p=3$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const SHA256 = "0123456789abcdef".repeat(4);

function linesFor(text: string): string[] {
  try {
    parseUsers(text, { file: "users.yaml" });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigFileError, String(error));
    return error.message.split("\n");
  }
}

Deno.test("users file: names, secrets, roles and groups", () => {
  const users = parseUsers(
    `users:
  - { name: ann, password_hash: "${HASH}" }
  - name: bob
    token_sha256: ${SHA256.toUpperCase()}
    roles: agent
    groups: [home, office]
    max_conns: 10
    new_conns: 0
    rate: 2MiB
`,
    { file: "users.yaml" },
  );
  assert.deepEqual(users, [
    { name: "ann", passwordHash: HASH },
    {
      ...{ name: "bob", tokenSha256: SHA256, roles: ["agent"], groups: ["home", "office"] },
      limits: { maxConnections: 10, newPerSecond: 0, bytesPerSecond: 2 << 20 },
    },
  ]);
  assert.deepEqual(parseUsers("users: []\n", { file: "users.yaml" }), []);
});

const WRONG: [text: string, ...want: string[]][] = [
  [
    `users:\n  - { name: ann, token_sha256: ${SHA256}, max_conns: many }\n`,
    'users.yaml:2:109: users[0].max_conns: "many" is not a whole number; allowed: a whole number, 0 or more',
  ],
  ["", "users.yaml:1:1: users: is missing; allowed: a list"],
  [
    "users:\n  - { name: ann, password: secret }\n",
    "users.yaml:2:5: users[0]: has no secret; allowed: password_hash, token_sha256 or certificate",
    "users.yaml:2:18: users[0].password: is not known; allowed: name, password_hash, token_sha256, " +
    "certificate, roles, groups, open_ports, max_conns, new_conns, rate",
  ],
  [
    'users:\n  - { name: ann, password_hash: "secret" }\n',
    "users.yaml:2:33: users[0].password_hash: is no $scrypt$ln=..,r=..,p=..$salt$hash: `h3ws passwd` " +
    "makes one; allowed: what h3ws passwd writes",
  ],
  [
    `users:\n  - { name: a@b, token_sha256: ${SHA256} }\n`,
    'users.yaml:2:13: users[0].name: "a@b" can\'t be used; allowed: 1 to 128 characters without : ' +
    "and @",
  ],
  [
    `users:\n  - { name: a, token_sha256: ${SHA256} }\n  - { name: a, token_sha256: 12 }\n`,
    "users.yaml:3:7: users[1].name: is the name of users[0] already",
    "users.yaml:3:30: users[1].token_sha256: is no SHA-256; allowed: 64 hexadecimal digits: " +
    "printf %s TOKEN | sha256sum",
  ],
  [
    `users: [{ name: a, token_sha256: ${SHA256}, roles: [admin] }]\n`,
    'users.yaml:1:108: users[0].roles[0]: "admin" is not known; allowed: agent, client',
  ],
];

Deno.test("users file: what is wrong is told with its key and place, and no secret with it", () => {
  for (const [text, ...want] of WRONG) assert.deepEqual(linesFor(text), want, text);
});
