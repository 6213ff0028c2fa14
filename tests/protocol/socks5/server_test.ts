import assert from "node:assert/strict";
import { Socks5Method } from "../../../src/protocol/socks5/codes.ts";
import { type AcceptedMethod, Socks5Server } from "../../../src/protocol/socks5/server.ts";
import { bytesOf, faultOf, serve } from "./feed.ts";

const { NO_AUTHENTICATION_REQUIRED: NONE, USERNAME_PASSWORD: USER } = Socks5Method;

const GREETED = { type: "methods", method: 0 };
const LOGGED_IN = [{ type: "methods", method: 2 }, {
  type: "auth",
  username: "user",
  password: "pass",
}];
const HELLO = "05 01 00";
const LOGIN = `05 01 02  01 04 "user" 04 "pass"`;

function request(command: number, host: string, port: number) {
  return { type: "request", command, host, port };
}

interface Row {
  name: string;
  hex: string;
  accepted?: AcceptedMethod[];
  want: unknown[];
}

const TAKEN: Row[] = [
  {
    name: "CONNECT to an IPv4 address",
    hex: `${HELLO}  05 01 00 01 c0000201 01bb`,
    want: [GREETED, request(1, "192.0.2.1", 443)],
  },
  {
    name: "CONNECT to an IPv6 address",
    hex: `${HELLO}  05 01 00 04 20010db8000000000000000000000001 0050`,
    want: [GREETED, request(1, "2001:db8::1", 80)],
  },
  {
    name: "CONNECT to a name, as curl --socks5-hostname",
    hex: `${HELLO}  05 01 00 03 09 "a.example" 01bb`,
    want: [GREETED, request(1, "a.example", 443)],
  },
  {
    name: "a name with capitals",
    hex: `${HELLO}  05 01 00 03 09 "A.Example" 01bb`,
    want: [GREETED, request(1, "a.example", 443)],
  },
  {
    name: "a name in UTF-8",
    hex: `${HELLO}  05 01 00 03 0a "ü.example" 01bb`,
    want: [GREETED, request(1, "ü.example", 443)],
  },
  {
    name: "a name that is an address",
    hex: `${HELLO}  05 01 00 03 05 "[::1]" 01bb`,
    want: [GREETED, request(1, "::1", 443)],
  },
  {
    name: "a name of 255 bytes",
    hex: `${HELLO}  05 01 00 03 ff "${"x".repeat(255)}" 0001`,
    want: [GREETED, request(1, "x".repeat(255), 1)],
  },
  {
    name: "BIND",
    hex: `${HELLO}  05 02 00 01 c0000201 01bb`,
    want: [GREETED, request(2, "192.0.2.1", 443)],
  },
  {
    name: "RFC 1928 §4: UDP ASSOCIATE of all zeros",
    hex: `${HELLO}  05 03 00 01 00000000 0000`,
    want: [GREETED, request(3, "0.0.0.0", 0)],
  },
  {
    name: "RFC 1928 §4: RSV is reserved, whatever it is",
    hex: `${HELLO}  05 01 7f 01 c0000201 01bb`,
    want: [GREETED, request(1, "192.0.2.1", 443)],
  },
  {
    name: "user name and password",
    hex: `${LOGIN}  05 01 00 01 c0000201 01bb`,
    accepted: [USER],
    want: [...LOGGED_IN, request(1, "192.0.2.1", 443)],
  },
  {
    name: "the method that is accepted, of several",
    hex: `05 04 00 01 80 02  01 04 "user" 04 "pass"  05 01 00 01 c0000201 01bb`,
    accepted: [USER],
    want: [...LOGGED_IN, request(1, "192.0.2.1", 443)],
  },
  {
    name: "the method that the server likes best, of several",
    hex: `05 02 02 00  05 01 00 01 c0000201 01bb`,
    accepted: [NONE, USER],
    want: [GREETED, request(1, "192.0.2.1", 443)],
  },
  {
    name: "a password that is empty",
    hex: `05 01 02  01 04 "user" 00`,
    accepted: [USER],
    want: [LOGGED_IN[0], { type: "auth", username: "user", password: "" }],
  },
  {
    name: "a user name and a password of 255 bytes",
    hex: `05 01 02  01 ff "${"u".repeat(255)}" ff "${"p".repeat(255)}"`,
    accepted: [USER],
    want: [LOGGED_IN[0], {
      type: "auth",
      username: "u".repeat(255),
      password: "p".repeat(255),
    }],
  },
  {
    name: "bytes of the target behind the request",
    hex: `${HELLO}  05 01 00 01 c0000201 01bb  16 03 01`,
    want: [GREETED, request(1, "192.0.2.1", 443), { rest: "160301" }],
  },
];

for (const { name, hex, accepted = [NONE], want } of TAKEN) {
  Deno.test(`SOCKS5 server: takes ${name}`, () => {
    assert.deepEqual(serve(hex, accepted).events, want);
  });
}

const FAILURE = "05010001000000000000";
const CUT = "The client ended before the end of its request";

const REFUSED = [
  {
    name: "RFC 1928 §3: another version, and is not answered",
    hex: "04 01 0050 c0000201 00",
    want: [1, "The client does not speak SOCKS5: version 4", null],
  },
  {
    name: "HTTP",
    hex: '"GET / HTTP/1.1"',
    want: [1, "The client does not speak SOCKS5: version 71", null],
  },
  {
    name: "RFC 1928 §3: no method at all",
    hex: "05 00",
    want: [255, "The client offers no method", "05ff"],
  },
  {
    name: "RFC 1928 §3: X'FF' where no method is acceptable",
    hex: "05 02 01 80",
    want: [255, "The client offers no method that is accepted", "05ff"],
  },
  {
    name: "RFC 1929 §2: another version of the subnegotiation",
    hex: "05 01 02  05 01",
    want: [2, "Unknown version 5 of user name and password", "0101"],
  },
  {
    name: "a user name that is not UTF-8",
    hex: "05 01 02  01 01 ff 01 61",
    want: [2, "User name or password is not UTF-8", "0101"],
  },
  {
    name: "a password that is not UTF-8",
    hex: "05 01 02  01 01 61 01 ff",
    want: [2, "User name or password is not UTF-8", "0101"],
  },
  {
    name: "RFC 1928 §4: another version of the request",
    hex: `${HELLO}  04 01 00 01 c0000201 01bb`,
    want: [1, "Unknown version 4 in the request", FAILURE],
  },
  {
    name: "RFC 1928 §6: X'07' for an unknown command",
    hex: `${HELLO}  05 04`,
    want: [7, "Unknown command 0x4", "05070001000000000000"],
  },
  {
    name: "RFC 1928 §6: X'08' for an unknown type of an address",
    hex: `${HELLO}  05 01 00 02`,
    want: [8, "Unknown type 2 of an address", "05080001000000000000"],
  },
  {
    name: "a name of no bytes",
    hex: `${HELLO}  05 01 00 03 00 01bb`,
    want: [1, "The name in the request can be no host", FAILURE],
  },
  {
    name: "a name with a NUL",
    hex: `${HELLO}  05 01 00 03 03 "a" 00 "b" 01bb`,
    want: [1, "The name in the request can be no host", FAILURE],
  },
  {
    name: "a name that is not UTF-8",
    hex: `${HELLO}  05 01 00 03 02 c0 af 01bb`,
    want: [1, "The name in the request can be no host", FAILURE],
  },
  {
    name: "CONNECT to port 0",
    hex: `${HELLO}  05 01 00 01 c0000201 0000`,
    want: [5, "CONNECT to port 0", "05050001000000000000"],
  },
];

for (const { name, hex, want } of REFUSED) {
  Deno.test(`SOCKS5 server: refuses ${name}`, () => {
    const accepted: AcceptedMethod[] = hex.startsWith("05 01 02") ? [USER] : [NONE, USER];
    assert.equal(serve(hex, accepted).error?.by, "next");
    const [code, message, answer] = want;
    assert.deepEqual(faultOf(new Socks5Server(accepted), hex), { code, message, answer });
  });
}

Deno.test("SOCKS5 server: a client that is cut off at any byte but the first is told of", () => {
  const whole = bytesOf(`${LOGIN}  05 01 00 03 09 "a.example" 01bb`);
  for (let length = 0; length <= whole.length; length++) {
    const server = new Socks5Server([USER]);
    server.push(whole.subarray(0, length));
    while (server.next() !== null);
    const isFine = length === 0 || length === whole.length;
    assert.equal(server.done, length === whole.length);
    if (isFine) server.end();
    else assert.throws(() => server.end(), { name: "Socks5Error", message: CUT, answer: null });
  }
});

Deno.test("SOCKS5 server: whoever asks for no more events hears no request", () => {
  const server = new Socks5Server([USER]);
  server.push(bytesOf(`${LOGIN}  05 01 00 01 c0000201 01bb 01`));
  assert.equal(server.next()?.type, "methods");
  assert.equal(server.next()?.type, "auth");
  assert.equal(server.done, false);
  assert.deepEqual(server.rest(), new Uint8Array());
});
