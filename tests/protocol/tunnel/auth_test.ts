import assert from "node:assert/strict";
import {
  type Auth,
  type Authed,
  encodeAuth,
  encodeAuthed,
  parseAuth,
  parseAuthed,
} from "../../../src/protocol/tunnel/auth.ts";
import { TunnelCode } from "../../../src/protocol/tunnel/code.ts";
import { faultOf } from "./frames.ts";

const LEAST: Auth = {
  version: 1,
  clientId: "a",
  login: null,
  group: null,
  agent: null,
  openPorts: [],
  maxConns: null,
};

const auths: readonly { name: string; json: string; want: Auth }[] = [
  { name: "the least", json: '{"version":1,"client_id":"a"}', want: LEAST },
  {
    name: "a token",
    json: '{"version":1,"client_id":"a","token":"t"}',
    want: { ...LEAST, login: { token: "t" } },
  },
];

for (const { name, json, want } of auths) {
  Deno.test(`tunnel AUTH: ${name}`, () => {
    assert.deepEqual(parseAuth(json), want);
    assert.equal(encodeAuth(want), json);
  });
}

Deno.test("tunnel AUTH: null is as not there, and unknown keys are ignored", () => {
  const json = `{"version":1,"client_id":"a","token":null,"username":null,"group":null,
    "open_ports":null,"max_conns":null,"later":{"a":[1]},"__proto__":{"group":"x"}}`;
  assert.deepEqual(parseAuth(json), LEAST);
});

const wrong: readonly [json: string, want: RegExp][] = [
  ["", /^AUTH must be JSON$/],
  ["[]", /^AUTH must be an object$/],
  ["null", /^AUTH must be an object$/],
  ['"a"', /^AUTH must be an object$/],
  ["{}", /^version must be a whole number/],
  ['{"version":0}', /^version must/],
  ['{"version":1.5}', /^version must/],
  ['{"version":"1"}', /^version must/],
  ['{"version":1}', /^client_id must be a string of 1 to 128/],
  ['{"version":1,"client_id":""}', /^client_id must/],
  ['{"version":1,"client_id":7}', /^client_id must/],
  [`{"version":1,"client_id":"${"a".repeat(129)}"}`, /^client_id must/],
  ['{"version":1,"client_id":"a\\n"}', /^client_id must be without control characters/],
  [auth('"group":"\\u001b[2J"'), /^group must be without control/],
  [auth('"agent":"\\u007f"'), /^agent must be without control/],
  [auth('"username":"u\\u0000","password":"hush"'), /^username must be without control/],
  [auth('"username":"u"'), /^password must be a string/],
  [auth('"password":"hush"'), /^username must be a string/],
  [auth('"username":"","password":"hush"'), /^username must/],
  [auth('"token":""'), /^token must/],
  [auth('"token":["hush"]'), /^token must/],
  [auth(`"token":"${"h".repeat(8193)}"`), /^token must/],
  [auth('"token":"hush","username":"u"'), /^token must be alone/],
  [auth('"token":"hush","password":"hush"'), /^token must be alone/],
  [auth('"group":""'), /^group must/],
  [auth('"agent":1'), /^agent must/],
  [auth('"max_conns":0'), /^max_conns must/],
  [auth('"max_conns":2147483648'), /^max_conns must/],
  [auth('"open_ports":{}'), /^open_ports must be a list of 256/],
  [auth(`"open_ports":[${Array(257).fill("{}").join()}]`), /^open_ports must be a list of 256/],
  [auth('"open_ports":[1]'), /^open_ports must be an object/],
  [auth('"open_ports":[{"protocol":"sctp"}]'), /^protocol must be "tcp" or "udp"/],
  [auth(`"open_ports":[${port('"remote_port":0')}]`), /^remote_port must/],
  [auth(`"open_ports":[${port('"local_port":65536')}]`), /^local_port must/],
  [auth(`"open_ports":[${port('"local_host":""')}]`), /^local_host must/],
  [auth(`"open_ports":[${port('"local_host":"a b"')}]`), /^local_host must be a name/],
  [auth(`"open_ports":[${port(`"local_host":"${"a".repeat(256)}"`)}]`), /^local_host must be a/],
];

function auth(more: string): string {
  return `{"version":1,"client_id":"a",${more}}`;
}

/** In JSON, the last of two equal keys counts. */
function port(change: string): string {
  return `{"protocol":"tcp","remote_port":1,"local_host":"a","local_port":1,${change}}`;
}

for (const [json, want] of wrong) {
  Deno.test(`tunnel AUTH: ${json.slice(0, 80)} is INVALID_MESSAGE`, () => {
    const fault = faultOf(() => parseAuth(json));
    assert.equal(fault.code, TunnelCode.INVALID_MESSAGE);
    assert.match(fault.message, want);
    assert.doesNotMatch(fault.message, /hush/);
  });
}

Deno.test("tunnel AUTH: the most that is taken", () => {
  const open = { protocol: "tcp", remotePort: 1, localHost: "a", localPort: 65_535 } as const;
  const most: Auth = {
    version: 2,
    clientId: "c".repeat(128),
    login: { username: "u".repeat(128), password: "p".repeat(8192) },
    group: "g".repeat(128),
    agent: "a".repeat(128),
    openPorts: Array(256).fill(open),
    maxConns: 0x7fffffff,
  };
  assert.deepEqual(parseAuth(encodeAuth(most)), most);
});

const YES: Authed = {
  success: true,
  message: "",
  code: null,
  session: null,
  heartbeatMs: null,
  refusedPorts: [],
};

Deno.test("tunnel AUTHED: the least, and a refusal that doesn't say why", () => {
  assert.equal(encodeAuthed(YES), '{"success":true,"message":""}');
  assert.deepEqual(parseAuthed('{"success":true,"message":""}'), YES);
  const no = { ...YES, success: false, code: TunnelCode.AUTH_FAILED };
  assert.deepEqual(parseAuthed('{"success":false,"message":""}'), no);
});

Deno.test("tunnel AUTHED: the ports that are not open, and why", () => {
  const refusedPorts = [
    { protocol: "tcp", remotePort: 22, message: "not allowed" },
    { protocol: "udp", remotePort: 53, message: "" },
  ] as const;
  assert.deepEqual(parseAuthed(encodeAuthed({ ...YES, refusedPorts })), { ...YES, refusedPorts });
});

Deno.test("tunnel AUTHED: each code goes by its name", () => {
  for (const code of Object.values(TunnelCode)) {
    const no: Authed = { ...YES, success: false, code, message: "No" };
    assert.deepEqual(parseAuthed(encodeAuthed(no)), no);
  }
});

for (
  const [json, want] of [
    ['{"message":""}', /^success must be true or false/],
    ['{"success":1,"message":""}', /^success must/],
    ['{"success":true}', /^message must/],
    [`{"success":true,"message":"${"m".repeat(1025)}"}`, /^message must/],
    ['{"success":false,"message":"","code":1}', /^code must/],
    ['{"success":true,"message":"","heartbeat_ms":0}', /^heartbeat_ms must/],
    ['{"success":true,"message":"","session":1}', /^session must/],
    ['{"success":true,"message":"","refused_ports":1}', /^refused_ports must/],
    ['{"success":true,"message":"","refused_ports":[{"protocol":"tcp"}]}', /^remote_port must/],
  ] as const
) {
  Deno.test(`tunnel AUTHED: ${json.slice(0, 60)} is INVALID_MESSAGE`, () => {
    const fault = faultOf(() => parseAuthed(json));
    assert.equal(fault.code, TunnelCode.INVALID_MESSAGE);
    assert.match(fault.message, want);
  });
}
