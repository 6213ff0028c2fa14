// h2spec, the conformance suite of HTTP/2 and HPACK in Go, against the process `h3ws proxy`.
import assert from "node:assert/strict";
import { type Door, DOORS, type Doors, startDoors } from "./doors.ts";
import { H2SPEC_EXCEPTIONS } from "./h2spec_exceptions.ts";
import { HttpBackend } from "./http_backend.ts";
import { peerTests } from "./peers.ts";

const test = peerTests("H3WS_H2SPEC");
/** h2spec 2.2.1 has 145, and one more that is strict. */
const CASES = 146;
const PATIENCE_MS = 60_000;

interface Case {
  package: string;
  title: string;
  failed: boolean;
}

for (const door of DOORS.filter(({ http }) => http === "2")) {
  test(`h2spec by ${door.name}: all of RFC 9113 and RFC 7541, but for what h2spec_exceptions.ts explains`, async (h2spec) => {
    await using backend = await HttpBackend.listen();
    await using proxy = await startDoors({ backendPort: backend.port });
    const { cases, output } = await run(h2spec, door, proxy);
    assert.equal(cases.length, CASES, output);
    const named = (list: { package: string; title: string }[]) =>
      list.map((one) => `${one.package} ${one.title}`).sort();
    const failed = named(cases.filter((one) => one.failed));
    const explained = named(H2SPEC_EXCEPTIONS.filter((one) => one.door === door.name));
    assert.deepEqual(failed, explained, output);
    assert.deepEqual(proxy.log.filter(({ event }) => event === "bug"), []);
  });
}

async function run(h2spec: string, { secure }: Door, { port, plainPort }: Doors) {
  const folder = await Deno.makeTempDir();
  try {
    const report = `${folder}/report.xml`;
    const { stdout } = await new Deno.Command(h2spec, {
      args: [
        ...["--strict", "--host", "127.0.0.1", "--junit-report", report, "--timeout", "5"],
        ...["--port", String(secure ? port : plainPort)],
        // The certificate is of a CA that nobody knows.
        ...(secure ? ["--tls", "--insecure"] : []),
      ],
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).output();
    const output = new TextDecoder().decode(stdout);
    return { cases: parse(await Deno.readTextFile(report)), output };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CASE =
  /<testcase package="([^"]*)" classname="([^"]*)" time="[^"]*">((?:(?!<\/testcase>)[^])*)<\/testcase>/g;

function parse(report: string): Case[] {
  return [...report.matchAll(CASE)].map(([, name, title, content]) => ({
    package: name,
    title,
    failed: content !== "",
  }));
}
