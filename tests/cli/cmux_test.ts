import assert from "node:assert/strict";
import { cmuxOptions } from "../../src/cli/cmux.ts";
import { configure } from "../../src/cli/configured.ts";
import { fileJsonSchema } from "../../src/config/file_schema.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { createLog, silentLog } from "../../src/observe/log.ts";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import { withFolder } from "./support.ts";

interface Row {
  section: string | null;
  flag?: string;
  env?: string;
  /** `null` where the mode is off. */
  want: { upstreamHost: string; required: boolean } | null;
}

const SECTION = "cmux: { upstream-host: ports.example, required: false }\n";
const OFF = SECTION.replace("{", "{ enabled: false,");
const OF_SECTION = { upstreamHost: "ports.example", required: false };
const OF_FLAG = { upstreamHost: CMUX_DEFAULTS.upstreamHost, required: true };

const ROWS: Row[] = [
  { section: null, want: null },
  { section: null, flag: "true", want: OF_FLAG },
  { section: SECTION, want: OF_SECTION },
  { section: SECTION, flag: "true", want: OF_SECTION },
  { section: SECTION, flag: "false", want: null },
  { section: SECTION, env: "false", want: null },
  { section: SECTION, env: "", want: OF_SECTION },
  { section: SECTION, env: "false", flag: "true", want: OF_SECTION },
  { section: OFF, want: null },
  { section: OFF, flag: "true", want: OF_SECTION },
  { section: OFF, env: "true", want: OF_SECTION },
  { section: OFF, env: "true", flag: "false", want: null },
];

for (const { section, flag, env, want } of ROWS) {
  const given = [section?.trim() ?? "no section", `--cmux ${flag}`, `H3WS_CMUX=${env}`];
  Deno.test(`cmux: ${given.join(", ")}: the flag says whether, the section how`, () =>
    withFolder(async (folder) => {
      const file = `${folder}/h3ws.yaml`;
      await Deno.writeTextFile(file, section ?? "");
      const { config, file: read } = await configure(
        { config: file, cmux: flag },
        { H3WS_CMUX: env },
      );
      const options = cmuxOptions(config, { file: read, log: createLog(() => {}) });
      assert.equal(options !== null, want !== null);
      if (options === null) return;
      const { upstreamHost, required } = options;
      assert.deepEqual({ upstreamHost, required }, want);
    }));
}

Deno.test("cmux: who may ask for ports where nothing is said, as the JSON schema tells", () => {
  const sections = fileJsonSchema().properties as Record<string, Record<string, unknown>>;
  const { clients } = sections.cmux.properties as typeof sections;
  assert.match(String(clients.description), /default loopback and private$/);
  const options = cmuxOptions(readProxyConfig({ cmux: "true" }), { file: null, log: silentLog });
  const asked = ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "192.0.2.1", "8.8.8.8"];
  const allowed = asked.filter((ip) => options?.clients?.(ip));
  assert.deepEqual(allowed, asked.slice(0, 4));
  assert.equal(CMUX_DEFAULTS.clients, null, "the library's: everyone");
});
