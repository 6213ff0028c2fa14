import assert from "node:assert/strict";
import {
  isReservedVersion,
  quicVersionName,
  readVersions,
  versionProbe,
} from "../../../src/protocol/quic/version_negotiation.ts";
import { PeerError } from "../../../src/protocol/wire/error.ts";

const ids = Uint8Array.from({ length: 16 }, (_, i) => i);
/** Both IDs, in turn. */
const SWAPPED = "08" + "08090a0b0c0d0e0f" + "08" + "0001020304050607";

Deno.test("quic: a probe has a version that does not exist, and 1200 bytes", () => {
  const probe = versionProbe(ids);
  assert.equal(probe.length, 1200);
  assert.equal(
    probe.subarray(0, 23).toHex(),
    "c0" + "1a2a3a4a" + "08" + "0001020304050607" + "08" + "08090a0b0c0d0e0f",
  );
  assert.ok(isReservedVersion(0x1a2a3a4a));
  assert.ok(!isReservedVersion(1));
});

const ANSWERS: { name: string; hex: string; want: number[] | null | "error" }[] = [
  { name: "two", hex: `80 00000000 ${SWAPPED} 00000001 6b3343cf`, want: [1, 0x6b3343cf] },
  { name: "a reserved one", hex: `ff 00000000 ${SWAPPED} fafafafa 00000001`, want: [1] },
  { name: "a short header", hex: `40 00000000 ${SWAPPED} 00000001`, want: null },
  { name: "another packet", hex: `c0 00000001 ${SWAPPED} 00000001`, want: null },
  { name: "other IDs", hex: `80 00000000 ${SWAPPED.replace("0f", "0e")} 00000001`, want: null },
  { name: "IDs cut off", hex: `80 00000000 ${SWAPPED.slice(0, -2)}`, want: null },
  { name: "nothing", hex: "", want: null },
  { name: "no version", hex: `80 00000000 ${SWAPPED}`, want: "error" },
  { name: "half a version", hex: `80 00000000 ${SWAPPED} 0000`, want: "error" },
];

Deno.test("quic: RFC 8999 §6: the versions of an answer", () => {
  for (const { name, hex, want } of ANSWERS) {
    const bytes = Uint8Array.fromHex(hex.replaceAll(" ", ""));
    if (want === "error") assert.throws(() => readVersions(bytes, ids), PeerError, name);
    else assert.deepEqual(readVersions(bytes, ids), want, name);
  }
});

Deno.test("quic: names of versions", () => {
  const names = [1, 0x6b3343cf, 0xff00001d, 0x12345678].map(quicVersionName);
  assert.deepEqual(names, ["v1", "v2", "draft-29", "0x12345678"]);
});
