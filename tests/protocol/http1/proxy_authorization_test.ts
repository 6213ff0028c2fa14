import assert from "node:assert/strict";
import { encodeResponseHead } from "../../../src/protocol/http1/encode.ts";
import {
  authenticationRequired,
  encodeBasic,
  proxyCredentials,
  readBasic,
} from "../../../src/protocol/http1/proxy_authorization.ts";
import { latin1Text } from "../../fuzz/input.ts";

function base64(...bytes: (number | string)[]): string {
  const parts = bytes.flatMap((part) =>
    typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]
  );
  return Uint8Array.from(parts).toBase64();
}

const TAKEN = [
  // RFC 7617 §2: the example.
  {
    name: "RFC 7617 §2: Aladdin",
    value: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    want: ["Aladdin", "open sesame"],
  },
  { name: "RFC 7617 §2.1: UTF-8", value: "Basic dGVzdDoxMjPCow==", want: ["test", "123£"] },
  { name: "RFC 9110 §11.1: any case", value: "bASIC dTpw", want: ["u", "p"] },
  { name: "RFC 9110 §11.4: several blanks", value: "Basic   dTpw", want: ["u", "p"] },
  { name: "colons in the password", value: `Basic ${base64("u:p:q:")}`, want: ["u", "p:q:"] },
  { name: "neither of them", value: `Basic ${base64(":")}`, want: ["", ""] },
];

for (const { name, value, want } of TAKEN) {
  Deno.test(`Basic: ${name}`, () => {
    const [username, password] = want;
    assert.deepEqual(readBasic(value), { username, password });
    assert.deepEqual(readBasic(encodeBasic({ username, password })), { username, password });
  });
}

const REFUSED = [
  { name: "another scheme", value: "Bearer dTpw" },
  { name: "no blank", value: "BasicdTpw" },
  { name: "nothing", value: "Basic" },
  { name: "text behind it", value: "Basic dTpw, Basic dTpw" },
  { name: "padding that is left out", value: "Basic dTpwcA" },
  { name: "no colon", value: `Basic ${base64("user")}` },
  { name: "RFC 7617 §2: a control character", value: `Basic ${base64("u:p\n")}` },
  { name: "a NUL", value: `Basic ${base64("u", 0, ":p")}` },
  { name: "what is not UTF-8", value: `Basic ${base64("u:", 0xa3)}` },
];

for (const { name, value } of REFUSED) {
  Deno.test(`Basic: refused: ${name}`, () => assert.equal(readBasic(value), null));
}

Deno.test("Basic: what it can't say is not written", () => {
  for (const [username, password] of [["a:b", "c"], ["a\n", "c"], ["a", "\0"]]) {
    assert.throws(() => encodeBasic({ username, password }), RangeError);
  }
});

Deno.test("Proxy-Authorization: one field, and no other than this", () => {
  const one = ["proxy-authorization", "Basic dTpw"] as const;
  assert.deepEqual(proxyCredentials([["a", "b"], one]), { username: "u", password: "p" });
  assert.equal(proxyCredentials([one, one]), null);
  assert.equal(proxyCredentials([["authorization", "Basic dTpw"]]), null);
});

Deno.test("RFC 9110 §15.5.8: a 407 MUST have Proxy-Authenticate", () => {
  const lines = latin1Text(encodeResponseHead(authenticationRequired('a "b"'))).split("\r\n");
  assert.deepEqual(lines, [
    "HTTP/1.1 407 Proxy Authentication Required",
    String.raw`Proxy-Authenticate: Basic realm="a \"b\"", charset="UTF-8"`,
    "Content-Length: 0",
    "",
    "",
  ]);
});
