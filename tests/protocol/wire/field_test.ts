import assert from "node:assert/strict";
import {
  type Field,
  getField,
  getFields,
  isFieldValue,
  isToken,
} from "../../../src/protocol/wire/field.ts";

const FIELDS: Field[] = [["cookie", "a=1"], ["host", "x"], ["cookie", "b=2"], ["empty", ""]];

Deno.test("getField gives the first value of a name, getFields all in order", () => {
  assert.equal(getField(FIELDS, "cookie"), "a=1");
  assert.equal(getField(FIELDS, "empty"), "");
  assert.equal(getField(FIELDS, "none"), null);
  assert.equal(getField(FIELDS, "Host"), null);
  assert.deepEqual(getFields(FIELDS, "cookie"), ["a=1", "b=2"]);
  assert.deepEqual(getFields(FIELDS, "none"), []);
});

Deno.test("RFC 9110 §5.6.2: token = 1*tchar, for each of the 256 characters and some beyond", () => {
  const tchar = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/;
  for (let code = 0; code <= 0x200; code++) {
    const char = String.fromCharCode(code);
    assert.equal(isToken(char), tchar.test(char), `0x${code.toString(16)}`);
    assert.equal(isToken(`a${char}b`), tchar.test(char), `0x${code.toString(16)} in the middle`);
  }
  assert.equal(isToken(""), false);
});

Deno.test("RFC 9110 §5.5: a field value has no control characters but HTAB, and is latin1", () => {
  for (let code = 0; code <= 0x200; code++) {
    const allowed = code === 0x09 || (code >= 0x20 && code !== 0x7f && code <= 0xff);
    assert.equal(isFieldValue(`a${String.fromCharCode(code)}b`), allowed, `0x${code.toString(16)}`);
  }
});

Deno.test("RFC 9110 §5.5: a field value has no white space at either end, and may be empty", () => {
  assert.equal(isFieldValue(""), true);
  assert.equal(isFieldValue("a b"), true);
  for (const value of [" ", "\t", " a", "a ", "\ta", "a\t"]) {
    assert.equal(isFieldValue(value), false, JSON.stringify(value));
  }
});
