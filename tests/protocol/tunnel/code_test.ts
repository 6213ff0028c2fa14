import assert from "node:assert/strict";
import {
  isTunnelCode,
  TunnelCode,
  tunnelCodeName,
  tunnelCodeOf,
  TunnelError,
} from "../../../src/protocol/tunnel/code.ts";
import { PeerError } from "../../../src/protocol/wire/error.ts";

Deno.test("tunnel codes: names and bytes are what older peers know", () => {
  assert.deepEqual(TunnelCode, {
    AUTH_FAILED: 1,
    INVALID_MESSAGE: 2,
    CONNECTION_FAILED: 3,
    FORBIDDEN_HOST: 4,
    RATE_LIMITED: 5,
    INTERNAL_ERROR: 6,
  });
  for (const [name, code] of Object.entries(TunnelCode)) {
    assert.equal(tunnelCodeName(code), name);
    assert.equal(tunnelCodeOf(name), code);
    assert.ok(isTunnelCode(code));
  }
});

Deno.test("tunnel codes: others are none", () => {
  for (const value of [0, 7, 255]) assert.ok(!isTunnelCode(value));
  for (const name of ["", "auth_failed", "toString", "1"]) assert.equal(tunnelCodeOf(name), null);
  assert.equal(tunnelCodeName(7), "0x7");
});

Deno.test("tunnel codes: an error has its code and its scope", () => {
  const error = new TunnelError(TunnelCode.FORBIDDEN_HOST, "stream", "No way to 10.0.0.1");
  assert.ok(error instanceof PeerError);
  assert.deepEqual([error.code, error.scope, error.name], [4, "stream", "TunnelError"]);
});
