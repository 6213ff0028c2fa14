// Credentials of NATS as nsc makes them: an operator who signs an account that signs its users.
import { nkeys } from "@nats-io/transport-node";

type KeyPair = ReturnType<typeof nkeys.createUser>;

export interface NatsCreds {
  /** Lines of a nats-server's configuration that takes this operator's accounts alone. */
  readonly config: string;
  /** A file of credentials of a user of that account. */
  readonly user: string;
  /** The same of an account that the server has not heard of. */
  readonly stranger: string;
}

const text = new TextEncoder();
const base64url = (bytes: Uint8Array) =>
  bytes.toBase64({ alphabet: "base64url", omitPadding: true });

/** RFC 7519, with the signature of NATS. */
function signed(
  by: KeyPair,
  { of, type, name }: { of: KeyPair; type: "operator" | "account" | "user"; name: string },
): string {
  const iat = Math.floor(Date.now() / 1000);
  const claims = {
    ...{ jti: crypto.randomUUID(), iat, iss: by.getPublicKey(), sub: of.getPublicKey(), name },
    nats: { type, version: 2, ...LIMITS[type] },
  };
  const parts = [{ typ: "JWT", alg: "ed25519-nkey" }, claims].map((part) =>
    base64url(text.encode(JSON.stringify(part)))
  );
  const body = parts.join(".");
  return `${body}.${base64url(by.sign(text.encode(body)))}`;
}

const ANY = { subs: -1, data: -1, payload: -1 };
const LIMITS = {
  operator: {},
  account: { limits: { ...ANY, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true } },
  user: ANY,
};

function credsOf(account: KeyPair): string {
  const user = nkeys.createUser();
  const jwt = signed(account, { of: user, type: "user", name: "gateway" });
  return `-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${new TextDecoder().decode(user.getSeed())}
------END USER NKEY SEED------
`;
}

/** New keys for all of them. */
export function makeCreds(): NatsCreds {
  const [operator, account] = [nkeys.createOperator(), nkeys.createAccount()];
  const operatorJwt = signed(operator, { of: operator, type: "operator", name: "test" });
  const accountJwt = signed(operator, { of: account, type: "account", name: "gateways" });
  return {
    config: `operator: ${operatorJwt}
resolver: MEMORY
resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    user: credsOf(account),
    stranger: credsOf(nkeys.createAccount()),
  };
}
