// What `h3ws gateway` and `h3ws agent` say of a command line that can't be used.
import assert from "node:assert/strict";
import { join } from "node:path";
import { agentCommand } from "../../src/cli/agent.ts";
import { defaultAgentId } from "../../src/cli/agent_id.ts";
import { run } from "../../src/cli/args.ts";
import { checkCommand } from "../../src/cli/check.ts";
import { gatewayCommand } from "../../src/cli/gateway.ts";
import { TestIo, withFolder } from "./support.ts";

async function told(args: string[], env: Record<string, string> = {}): Promise<string> {
  const io = new TestIo(env);
  const commands = [gatewayCommand, agentCommand];
  const code = await run(args, { commands }, io);
  assert.equal(io.stdout, "");
  return `${code} ${io.stderr}`;
}

const GW = "wss://localhost:1";

const WRONG: [args: string[], want: string][] = [
  [
    ["gateway"],
    "2 h3ws: --user: is missing: no agent comes in without a user; allowed: --user name:password, " +
    "--users with a file of them, or --auth-url\n",
  ],
  [
    ["gateway", "--user", "secret"],
    "2 h3ws: --user: is no name with a password; allowed: name:password, the name without : @ and " +
    "control characters\n",
  ],
  [
    ["gateway", "--user", "a:b", "--cert", "x"],
    '2 h3ws: --cert: "x" has no --key; allowed: both, or neither\n',
  ],
  [
    ["gateway", "--user", "a:b", "--anonymous", "--client-user", "c:d", "--metrics", "off"],
    "2 h3ws: --anonymous: can't stand beside --client-user; allowed: one of the two\n",
  ],
  [["gateway", "--users", "/nowhere.yaml"], "1 h3ws: Cannot read /nowhere.yaml: no such file\n"],
  [
    ["agent"],
    "2 h3ws: --gateway: is missing; allowed: wss://host:port: h3ws agent wss://gw.example:8443\n",
  ],
  [
    ["agent", GW],
    "2 h3ws: --user: is missing; allowed: --user name:password, --token, or --cert and --key\n",
  ],
  [
    ["agent", GW, "--user", "ann:"],
    "2 h3ws: --user: has an empty password; allowed: name:password, the name without : and control " +
    "characters\n",
  ],
  [
    ["agent", GW, "--key", "/nowhere.pem"],
    "2 h3ws: --key: stands alone; allowed: --cert, too\n",
  ],
  [
    ["agent", GW, "--user", "a:b", "--token", "c"],
    "2 h3ws: --token: can't stand beside --user; allowed: one of the two\n",
  ],
  [
    ["agent", GW, "--token", "c", "--ca", "/nowhere.pem"],
    "1 h3ws: Cannot read /nowhere.pem: no such file\n",
  ],
  [
    ["agent", GW, "--token", "c", "--transport", "json"],
    "2 h3ws: --token: takes the name of its user as --id; allowed: --id beside it\n",
  ],
  [
    ["agent", GW, "--user", "a:b", "--ca", "/nowhere.pem"],
    "1 h3ws: Cannot read /nowhere.pem: no such file\n",
  ],
  [
    ["agent", "ws://a", GW],
    '2 h3ws: --gateway: "ws://a" is not a gateway; allowed: wss://host:port, with /ws or another ' +
    "path, or host:port\n",
  ],
  [
    ["gateway", "--user", "a:b", "--cluster", "http://nats"],
    '2 h3ws: --cluster: "http://nats" is no server of NATS; allowed: nats://host:port or ' +
    "tls://host:port, with user:password@ or token@ before the host\n",
  ],
  [
    ["gateway", "--user", "a:b", "--cluster", "gw:secret@nats:4222"],
    "2 h3ws: --cluster: is no server of NATS; allowed: nats://host:port or tls://host:port, with " +
    "user:password@ or token@ before the host\n",
  ],
];

for (const [args, want] of WRONG) {
  Deno.test(`tunnel usage: h3ws ${args.join(" ")}`, async () => {
    assert.equal(await told(args), want);
  });
}

Deno.test("tunnel usage: a port that is taken is told with its flag, and nothing is left", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const at = `127.0.0.1:${taken.addr.port}`;
  const args = ["gateway", "--user", "a:b", "--listen", "127.0.0.1:0", "--metrics", "off"];
  for (const flag of ["--listen", "--socks", "--http", "--mixed"]) {
    assert.equal(
      await told([...args, flag, at]),
      `1 h3ws: Cannot listen on TCP ${at}: the address is in use; ${flag} names another\n`,
    );
  }
});

Deno.test("tunnel usage: a name that is in the file of users too", () =>
  withFolder(async (folder) => {
    const file = join(folder, "users.yaml");
    await Deno.writeTextFile(file, `users: [{ name: a, token_sha256: ${"ab".repeat(32)} }]\n`);
    assert.equal(
      await told(["gateway", "--user", "a:b", "--users", file]),
      `2 h3ws: --user: "a" is a user of ${file} already; allowed: a name that is not there\n`,
    );
  }));

Deno.test("tunnel usage: who an agent is may stand in its file, and need not in one that is checked", () =>
  withFolder(async (folder) => {
    const file = join(folder, "h3ws.yaml");
    await Deno.writeTextFile(file, `client: { gateway_addr: "${GW}" }\n`);
    const missing =
      "--user: is missing; allowed: --user name:password, --token, or --cert and --key";
    assert.equal(await told(["agent", "--config", file]), `2 h3ws: ${missing}\n`);
    const io = new TestIo();
    assert.equal(await run(["check", file], { commands: [checkCommand] }, io), 0, io.stderr);
    const nowhere = join(folder, "ca.pem");
    await Deno.writeTextFile(file, `client: { gateway_addr: "${GW}", token: c }\n`);
    assert.equal(
      await told(["agent", "--config", file, "--ca", nowhere]),
      `1 h3ws: Cannot read ${nowhere}: no such file\n`,
    );
  }));

Deno.test("agent id: the same after a restart, another for another agent of the machine", () => {
  const place = { hostname: "host.example", machineId: "m", cwd: "/", told: ["wss://a/ws"] };
  const id = defaultAgentId(place);
  assert.match(id, /^host\.example-[0-9a-f]{6}$/);
  assert.equal(defaultAgentId({ ...place }), id);
  for (const other of [{ machineId: "n" }, { cwd: "/x" }, { told: ["wss://b/ws"] }]) {
    assert.notEqual(defaultAgentId({ ...place, ...other }), id);
  }
  assert.match(defaultAgentId({ ...place, hostname: "ö x".repeat(100) }), /^[\w.-]{107}$/);
  assert.match(defaultAgentId({ ...place, hostname: "" }), /^agent-/);
});
