import assert from "node:assert/strict";
import { doctor } from "../support/doctor.ts";

const USAGE = [
  { args: ["http//x"], want: /--url/ },
  { args: ["wss://a/", "--resolver", "dns.example"], want: /--resolver/ },
  { args: ["wss://a/", "--timeout", "0"], want: /--timeout/ },
  { args: ["wss://a/", "wss://b/"], want: /one url too many/ },
];

Deno.test("doctor: a wrong command line is one line, and 2", async () => {
  for (const { args, want } of USAGE) {
    const { code, out, err } = await doctor(args);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    assert.match(err, want);
    assert.equal(err.split("\n").length, 2);
  }
  const missing = await doctor(["wss://a/", "--ca", "/nowhere/ca.pem"]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /^h3ws: Cannot read \/nowhere\/ca\.pem: no such file\n$/);
});
