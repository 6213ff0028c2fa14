import assert from "node:assert/strict";
import { misspeltVariables } from "../../src/config/environment.ts";
import { agentFlags } from "../../src/config/agent.ts";
import { gatewayFlags } from "../../src/config/gateway.ts";
import { proxyFlags } from "../../src/config/proxy.ts";

const KNOWN = Object.values({ ...proxyFlags, ...gatewayFlags, ...agentFlags })
  .map(({ env }) => env!).filter((env) => env !== undefined);

const MISSPELT: [name: string, nearest: string][] = [
  ["H3WS_LISTN", "H3WS_LISTEN"],
  ["H3WS_LISSTEN", "H3WS_LISTEN"],
  ["H3WS_LITSEN", "H3WS_LISTEN"],
  ["H3WS_LISTEM", "H3WS_LISTEN"],
  ["h3ws_listen", "H3WS_LISTEN"],
  ["H3WS_CERTS", "H3WS_CERT"],
  ["H3WS_KEYS", "H3WS_KEY"],
  ["H3WS_MAXFRAME", "H3WS_MAX_FRAME"],
  ["H3WS_MAX_FRAMES", "H3WS_MAX_FRAME"],
  ["H3WS_MAX_CONNECTION", "H3WS_MAX_CONNECTIONS"],
  ["H3WS_MAX_CONN", "H3WS_MAX_CONNS"],
  ["H3WS_MAX_HEADER_SIZE", "H3WS_MAX_HEADER_BYTES"],
  ["H3WS_READTIMEOUT", "H3WS_READ_TIMEOUT"],
];

for (const [name, nearest] of MISSPELT) {
  Deno.test(`environment: ${name}: did you mean ${nearest}`, () => {
    assert.deepEqual(misspeltVariables({ [name]: "secret" }, KNOWN), [
      `${name}: is not known; did you mean ${nearest}?`,
    ]);
  });
}

Deno.test("environment: what is known, and what is like none of it, is passed over", () => {
  for (const name of KNOWN) assert.deepEqual(misspeltVariables({ [name]: "x" }, KNOWN), [], name);
  const others = [
    ...["PATH", "H3_LISTEN", "LISTEN", "H3WS", "H3WS_", "H3WS_X", "H3WS_FOO", "__proto__"],
    // Of the tests, and of a Kubernetes service that is named h3ws.
    ...["H3WS_PROGRAM", "H3WS_CHROMIUM", "H3WS_PYTHON", "H3WS_QUICHE", "H3WS_HAPROXY"],
    ...["H3WS_PORT", "H3WS_SERVICE_HOST", "H3WS_SERVICE_PORT", "H3WS_PORT_443_UDP"],
    ...["H3WS_PORT_443_UDP_ADDR", "H3WS_PORT_443_UDP_PORT", "H3WS_PORT_443_UDP_PROTO"],
  ];
  for (const name of others) assert.deepEqual(misspeltVariables({ [name]: "x" }, KNOWN), [], name);
});

Deno.test("environment: one line for each, in the order of their names", () => {
  const env = { H3WS_PATHS: "/", H3WS_LISTEN: ":1", H3WS_DRAINS: "1s", HOME: "/" };
  assert.deepEqual(misspeltVariables(env, KNOWN), [
    "H3WS_DRAINS: is not known; did you mean H3WS_DRAIN?",
    "H3WS_PATHS: is not known; did you mean H3WS_PATH?",
  ]);
});
