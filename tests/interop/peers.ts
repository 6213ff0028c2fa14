// The peers of the interop tests, which are no part of the project: each is found by a variable of
// the environment. CI sets all of them, and fails when a test was skipped.

/** Where a peer is, by its variable. */
export type PeerVariable =
  /** Chromium's executable. */
  | "H3WS_CHROMIUM"
  /** Firefox's executable. */
  | "H3WS_FIREFOX"
  /** A Python that has aioquic and websockets. */
  | "H3WS_PYTHON"
  /** The executable that tests/interop/anyproxy builds. */
  | "H3WS_ANYPROXY"
  /** The folder of the npm package @currentspace/http3, which is quiche. */
  | "H3WS_QUICHE"
  /** h2spec's executable. */
  | "H3WS_H2SPEC"
  /** The executable of a curl that speaks HTTP/2. */
  | "H3WS_CURL"
  /** HAProxy's executable. */
  | "H3WS_HAPROXY"
  /** Mosquitto's executable, the broker. */
  | "H3WS_MOSQUITTO"
  /** The executable of OpenSSH's server, whose ssh and ssh-keygen are on the PATH. */
  | "H3WS_SSHD"
  /** nats-server's executable. */
  | "H3WS_NATS_SERVER"
  /** The folder whose node_modules has socket.io, graphql-ws and the others of `npm_peers.ts`. */
  | "H3WS_NPM";

/**
 * Declares tests of a peer: `test(name, body)`, where `body` gets the variable's value. Without it
 * they are skipped, and say so in their names.
 */
export function peerTests(
  variable: PeerVariable,
  { sanitizeOps = true }: { sanitizeOps?: boolean } = {},
): (name: string, body: (peer: string, t: Deno.TestContext) => Promise<void>) => void {
  const peer = Deno.env.get(variable) ?? "";
  const ignore = peer === "";
  const why = ignore ? ` (skipped: ${variable} is not set)` : "";
  return (name, body) =>
    Deno.test(`${name}${why}`, { ignore, sanitizeOps, sanitizeResources: true }, (t) => {
      return body(peer, t);
    });
}
