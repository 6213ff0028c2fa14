// Issue 4, Build 6: a configuration file that changes under `h3ws proxy` as a process of its own.
import assert from "node:assert/strict";
import { CloseCode } from "../../src/protocol/websocket/close.ts";
import {
  DOOR_IDS,
  type DoorId,
  DoorPeers,
  type DoorTunnel,
  isOpen,
  say,
} from "../support/door_peers.ts";
import { fromClient, readClose } from "../support/frames.ts";
import { NamedBackend } from "../support/named_backend.ts";
import { type ProxyProcess, startProxyProcess } from "../support/process.ts";
import { until } from "../support/until.ts";

interface Running {
  proxy: ProxyProcess;
  peers: DoorPeers;
  file: string;
  /** Puts a new text in the file's place, as editors and tools do. */
  write(text: string): Promise<void>;
}

async function withConfig(
  text: string,
  body: (running: Running) => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/h3ws.yaml`;
  const write = async (text: string) => {
    await Deno.writeTextFile(`${file}.new`, text);
    await Deno.rename(`${file}.new`, file);
  };
  try {
    await write(text);
    await using proxy = await startProxyProcess({
      // No route leads there.
      backendPort: 1,
      flags: ["--config", file, "--plain-listen", "127.0.0.1:0", ...flags],
    });
    const { port, caCerts: [caPem], log } = proxy;
    const listening = log.find(({ event }) => event === "proxy.listening")!;
    const plainPort = Number(String(listening.plainListen).split(":").at(-1));
    await using peers = new DoorPeers({ port, plainPort, caPem });
    await body({ proxy, peers, file, write });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function route(name: string, { url }: NamedBackend, more = ""): string {
  return `  - { name: ${name}, match: { prefix: /${name} }, backend: "${url}"${more} }\n`;
}

/** So many sockets at once are opened, by each door alike. */
async function openMany(peers: DoorPeers, path: string, perDoor: number): Promise<DoorTunnel[]> {
  const opened: DoorTunnel[] = [];
  for (let i = 0; i < perDoor; i++) {
    const round = await Promise.all(DOOR_IDS.map((door) => peers.open(door, { path })));
    for (const tunnel of round) assert.ok(isOpen(tunnel), `${path} ${i}: ${tunnel.status}`);
    opened.push(...round);
  }
  return opened;
}

const KEPT_PER_DOOR = 70;
const CHANGED_PER_DOOR = 15;
const GONE_PER_DOOR = 15;

Deno.test("reload: under 500 open sockets over all doors none of an unchanged route closes", async () => {
  await using a = await NamedBackend.listen("a");
  await using b = await NamedBackend.listen("b");
  await using c = await NamedBackend.listen("c");
  await using d = await NamedBackend.listen("d");
  const before = `routes:\n${route("kept", a)}${route("changed", b)}${route("gone", c)}`;
  await withConfig(before, async ({ proxy, peers, write }) => {
    const kept = await openMany(peers, "/kept", KEPT_PER_DOOR);
    const changed = await openMany(peers, "/changed", CHANGED_PER_DOOR);
    const gone = await openMany(peers, "/gone", GONE_PER_DOOR);
    assert.equal(kept.length + changed.length + gone.length, 500);
    assert.equal(await proxy.metric("h3ws_proxy_active_sessions"), 500);
    // What is pooled for ordinary requests.
    for (const path of ["/kept", "/changed", "/gone"]) {
      assert.equal((await peers.ask("h2", { path })).status, 200);
    }
    assert.equal(c.open.size, gone.length + 1);

    const changes = ", headers: { request: { set: { x-new: 1 } } }";
    // In another order, and one has another name: that is no change of a route.
    await write(
      `routes:\n${route("added", d)}${route("changed", b, changes)}` +
        route("kept", a).replace("name: kept", "name: renamed"),
    );
    const { routes, afterRestart } = await proxy.logged("config.reloaded");
    assert.deepEqual([routes, afterRestart], [3, undefined]);

    const echoes = await Promise.all(kept.map((tunnel, i) => say(tunnel, `hi ${i}`)));
    assert.deepEqual(echoes, kept.map((_, i) => `a hi ${i}`));
    for (const tunnel of [...changed, ...gone]) {
      const { code, reason } = readClose(await tunnel.inbox.frame());
      assert.deepEqual([code, reason], [CloseCode.SERVICE_RESTART, "route was changed"]);
      tunnel.send(fromClient.close(code));
      tunnel.fin();
    }
    const closes = changed.length + gone.length;
    await until("the records of those that were closed", () => {
      return proxy.log.filter(({ event }) => event === "ws.close").length === closes;
    });
    for (const line of proxy.log.filter(({ event }) => event === "ws.close")) {
      assert.deepEqual([line.by, line.code], ["proxy:reload", 1012]);
      assert.match(String(line.path), /^\/(?:changed|gone)$/);
    }
    // Their backends are told too, and nothing is kept of them.
    await until("the ends at the removed backend", () => c.open.size === 0);
    assert.deepEqual(new Set(c.closes.map(({ code }) => code)), new Set([1012]));
    assert.equal(proxy.socketsTo(c.port), 0);
    assert.equal(await proxy.metric("h3ws_proxy_active_sessions"), kept.length);

    for (const door of DOOR_IDS) {
      assert.equal((await peers.open(door, { path: "/gone" })).status, 404, door);
      assert.equal((await peers.ask(door, { path: "/gone" })).status, 404, door);
      const added = await peers.open(door, { path: "/added" });
      assert.equal(await say(added, "hi"), "d hi", door);
      const answer = JSON.parse((await peers.ask(door, { path: "/changed" })).body);
      assert.ok(answer.fields.some(([name]: [string]) => name === "x-new"), door);
    }
    for (const tunnel of kept) assert.equal(tunnel.isLost, false);
    assert.equal(a.sockets, kept.length);
    assert.equal(a.closes.length, 0);
  });
});

interface BadRow {
  name: string;
  text: (good: string) => string;
  message: RegExp;
}

const BAD: BadRow[] = [
  {
    name: "a key that is not known",
    text: (good) => good.replace("backend:", "bakend:"),
    message:
      /h3ws\.yaml:2:\d+: routes\[0\]\.bakend: .*did you mean backend\?.*nothing is changed$/s,
  },
  {
    name: "no YAML",
    text: () => "routes: [\n",
    message: /h3ws\.yaml:\d+:\d+: .*nothing is changed$/s,
  },
  {
    name: "a value that can't be used",
    text: (good) => `read-timeout: soon\n${good}`,
    message: /h3ws\.yaml:1:15: read-timeout: "soon" is not a duration; .*nothing is changed$/s,
  },
  {
    name: "a variable that is not set",
    text: (good) => good.replace("ws://", "${H3WS_TEST_NOT_SET}://"),
    message: /h3ws\.yaml:2:\d+: routes\[0\]\.backend: .*H3WS_TEST_NOT_SET.*nothing is changed$/s,
  },
  {
    name: "a CA file that is not there",
    text: (good) => good.replace("backend:", "backend-ca: /nowhere.pem, backend:"),
    message: /\/nowhere\.pem: no such file.*nothing is changed$/s,
  },
];

Deno.test("reload: a bad file changes nothing and is told with line and key; SIGHUP reads at once", async () => {
  await using a = await NamedBackend.listen("a");
  await using b = await NamedBackend.listen("b");
  const good = `routes:\n${route("kept", a)}`;
  await withConfig(good, async ({ proxy, peers, file, write }) => {
    const tunnels = new Map<DoorId, DoorTunnel>();
    for (const door of DOOR_IDS) tunnels.set(door, await peers.open(door, { path: "/kept" }));
    for (const { name, text, message } of BAD) {
      await write(text(good));
      proxy.kill("SIGHUP");
      const line = await proxy.logged("config.error");
      assert.equal(line.file, file, name);
      assert.match(String(line.message), message, name);
      for (const [door, tunnel] of tunnels) {
        assert.equal(await say(tunnel, name), `a ${name}`, door);
        assert.equal((await peers.ask(door, { path: "/kept" })).status, 200, door);
      }
    }
    // One that is gone.
    await Deno.remove(file);
    proxy.kill("SIGHUP");
    assert.match(String((await proxy.logged("config.error")).message), /no such file/i);
    assert.equal((await peers.ask("h1", { path: "/kept" })).status, 200);

    await write(good + route("added", b));
    proxy.kill("SIGHUP");
    const { routes } = await proxy.logged("config.reloaded");
    assert.equal(routes, 2);
    assert.equal((await peers.ask("h1", { path: "/added" })).status, 200);
    // The same again: nothing closes.
    proxy.kill("SIGHUP");
    await proxy.logged("config.reloaded");
    for (const [door, tunnel] of tunnels) assert.equal(await say(tunnel, "x"), "a x", door);
    assert.equal(a.closes.length, 0);
  });
});

Deno.test("reload: what a restart is needed for is named, and the routes change all the same", async () => {
  await using a = await NamedBackend.listen("a");
  await using b = await NamedBackend.listen("b");
  const good = `max-conns: 5\nroutes:\n${route("one", a)}`;
  await withConfig(good, async ({ proxy, peers, write }) => {
    await write(
      `max-conns: 6\ncmux: { enabled: true }\nalt-svc: "8443"\nroutes:\n${route("two", b)}`,
    );
    proxy.kill("SIGHUP");
    const line = await proxy.logged("config.reloaded");
    assert.equal(line.afterRestart, "alt-svc, cmux, max-conns");
    assert.equal((await peers.ask("h1", { path: "/two" })).status, 200);
    assert.equal((await peers.ask("h1", { path: "/one" })).status, 404);
    // As long as they differ from what runs, not from what was read last.
    proxy.kill("SIGHUP");
    assert.equal((await proxy.logged("config.reloaded")).afterRestart, "alt-svc, cmux, max-conns");
    await write(good);
    proxy.kill("SIGHUP");
    assert.equal((await proxy.logged("config.reloaded")).afterRestart, undefined);
    // All routes at once would leave the proxy to --backend.
    await write("max-conns: 5\n");
    proxy.kill("SIGHUP");
    assert.equal((await proxy.logged("config.reloaded")).afterRestart, "routes");
    assert.equal((await peers.ask("h1", { path: "/one" })).status, 200);
  });
});

Deno.test("reload: checks of a removed backend end, its pooled connections too, those of a kept one go on", async () => {
  await using a = await NamedBackend.listen("a");
  await using b = await NamedBackend.listen("b");
  const health = ", health: { active: { kind: get, path: /live, interval: 100ms } }";
  const kept = route("kept", a, health);
  await withConfig(`routes:\n${kept}${route("gone", b, health)}`, async (running) => {
    const { proxy, peers, write } = running;
    const checks = ({ requests }: NamedBackend) =>
      requests.filter(({ url }) => url === "/live").length;
    await until("checks of both", () => checks(a) > 2 && checks(b) > 2);
    for (const path of ["/kept", "/gone"]) {
      assert.equal((await peers.ask("h1", { path })).status, 200);
    }
    await write(`routes:\n${kept}`);
    proxy.kill("SIGHUP");
    await proxy.logged("config.reloaded");
    await until("the end of its connections", () => b.open.size === 0);
    const [keptBefore, goneBefore] = [checks(a), checks(b)];
    await until("more checks of the kept one", () => checks(a) >= keptBefore + 10);
    assert.equal(checks(b), goneBefore);
    assert.equal(proxy.socketsTo(b.port), 0);
  });
});
