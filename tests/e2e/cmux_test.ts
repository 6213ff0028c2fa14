// Issue 4, Build 7: ports of workspaces and containers, by every door, before real servers.
import assert from "node:assert/strict";
import { type Field, getField } from "../../src/protocol/wire/field.ts";
import { CMUX_DEFAULTS } from "../../src/proxy/cmux.ts";
import { filePorts } from "../../src/proxy/cmux_file.ts";
import { workspaceAddress } from "../../src/proxy/cmux_host.ts";
import {
  type Asked,
  DOOR_IDS,
  type DoorAnswer,
  type DoorId,
  DoorPeers,
  isOpen,
  say,
} from "../support/door_peers.ts";
import { withDoors } from "../support/doors.ts";
import { NamedBackend, type NamedRequest } from "../support/named_backend.ts";
import { startProxyProcess } from "../support/process.ts";
import { OVERRIDE, PORT, withCmux, WORKSPACE } from "./cmux_e2e.ts";

function seenIn({ status, body }: DoorAnswer): NamedRequest {
  assert.equal(status, 200, body);
  return JSON.parse(body);
}

/** Which backend a request reached, in the two forms that there are. */
async function bothForms(peers: DoorPeers, door: DoorId, asked: Asked): Promise<string[]> {
  const answer = await peers.ask(door, asked);
  const tunnel = await peers.open(door, asked);
  assert.ok(isOpen(tunnel), `${tunnel.status} ${tunnel.body}`);
  const said = await say(tunnel, "hi");
  tunnel.fin();
  return [seenIn(answer).backend, said.split(" ")[0]];
}

/** Two backends at the same port: of the upstream host, and of one workspace. */
async function twoBackends(workspace: string) {
  for (let tries = 10;; tries--) {
    const main = await NamedBackend.listen("main");
    try {
      const hostname = workspaceAddress(workspace)!;
      const own = await NamedBackend.listen("own", { hostname, port: main.port });
      return { main, own };
    } catch (error) {
      await main.close();
      if (tries === 0) throw error;
    }
  }
}

interface Place {
  name: string;
  asked: (port: number) => Asked;
  want: "main" | "own";
}

const PLACES: Place[] = [
  {
    name: "X-Cmux-Port-Internal",
    asked: (port) => ({ fields: [[PORT, String(port)]] }),
    want: "main",
  },
  {
    name: "X-Cmux-Workspace-Internal: workspace-N has 127.18.(N>>8).(N&255)",
    asked: (port) => ({ fields: [[PORT, String(port)], [WORKSPACE, "workspace-258"]] }),
    want: "own",
  },
  {
    name: "of a path only the last part counts, in any case",
    asked: (port) => ({ fields: [[PORT, String(port)], [WORKSPACE, "/root/Workspace-258"]] }),
    want: "own",
  },
  {
    name: "<workspace>-<port>.localhost",
    asked: (port) => ({ authority: `workspace-258-${port}.localhost:9776` }),
    want: "own",
  },
  {
    name: "<container>.<port>.localhost:proxyPort",
    asked: (port) => ({ authority: `web.${port}.localhost:9776` }),
    want: "main",
  },
  {
    name: "<port>.cmux.local",
    asked: (port) => ({ authority: `${port}.cmux.local` }),
    want: "main",
  },
  {
    name: "<workspace>-<port>-<id>.cmux.sh",
    asked: (port) => ({ authority: `workspace-258-${port}-vm1.CMUX.sh` }),
    want: "own",
  },
  {
    name: "cmux-<id>-<workspace>-<port>.cmux.sh",
    asked: (port) => ({ authority: `cmux-vm1-workspace-258-${port}.cmux.sh` }),
    want: "own",
  },
];

for (const { name, asked, want } of PLACES) {
  Deno.test(`cmux: ${name}: requests and WebSockets by every door`, async () => {
    await withCmux({}, async (peers) => {
      const { main, own } = await twoBackends("workspace-258");
      await using _main = main;
      await using _own = own;
      for (const door of DOOR_IDS) {
        assert.deepEqual(await bothForms(peers, door, asked(main.port)), [want, want], door);
      }
    });
  });
}

Deno.test("cmux: a workspace without a number is at the FNV-1a address of its name", async () => {
  await withCmux({}, async (peers) => {
    assert.equal(workspaceAddress("feature-x"), "127.18.247.88");
    const { main, own } = await twoBackends("feature-x");
    await using _main = main;
    await using _own = own;
    const fields: Field[] = [[PORT, String(main.port)], [WORKSPACE, "Feature-X"]];
    for (const door of DOOR_IDS) {
      assert.deepEqual(await bothForms(peers, door, { fields }), ["own", "own"], door);
    }
  });
});

Deno.test("cmux: internal headers are stripped, method, path, query, body and Host are not", async () => {
  await withCmux({}, async (peers) => {
    await using backend = await NamedBackend.listen("main");
    const fields: Field[] = [
      [PORT, String(backend.port)],
      ["x-cmux-secret", "1"],
      ["x_cmux_secret", "2"],
      ["x-own", "3"],
    ];
    for (const door of DOOR_IDS) {
      const asked = {
        fields,
        path: "/a/b?c=d",
        method: "POST",
        body: "hello",
        authority: "localhost",
      };
      const seen = seenIn(await peers.ask(door, asked));
      assert.deepEqual([seen.method, seen.url, seen.body], ["POST", "/a/b?c=d", "hello"], door);
      const tunnel = await peers.open(door, { fields, path: "/ws?a=1", authority: "localhost" });
      assert.ok(isOpen(tunnel), door);
      tunnel.fin();
      const handshake = backend.requests.at(-1)!;
      assert.equal(handshake.url, "/ws?a=1");
      for (const { fields } of [seen, handshake]) {
        assert.deepEqual(fields.filter(([name]) => /cmux/.test(name)), [], door);
        assert.equal(getField(fields, "x-own"), "3");
        assert.equal(getField(fields, "host"), "localhost");
      }
    }
  });
});

Deno.test("cmux: X-Cmux-Host-Override is the Host of the backend, and of nothing else", async () => {
  await withCmux({}, async (peers) => {
    await using backend = await NamedBackend.listen("main");
    const fields: Field[] = [[PORT, String(backend.port)], [OVERRIDE, "app.example:8443"]];
    for (const door of DOOR_IDS) {
      const asked = { fields, authority: "proxy.example" };
      const seen = seenIn(await peers.ask(door, asked));
      const tunnel = await peers.open(door, asked);
      assert.ok(isOpen(tunnel), door);
      tunnel.fin();
      for (const { fields } of [seen, backend.requests.at(-1)!]) {
        assert.equal(getField(fields, "host"), "app.example:8443", door);
        assert.equal(getField(fields, OVERRIDE), null);
      }
    }
  });
});

Deno.test("cmux: Socket.IO passes: polling by GET and POST, then its upgrade, and its refusal whole", async () => {
  await withCmux({}, async (peers) => {
    await using backend = await NamedBackend.listen("io");
    await using refusing = await NamedBackend.listen("refusing", { status: 400 });
    const fields: Field[] = [[PORT, String(backend.port)]];
    const path = "/socket.io/?EIO=4&transport=";
    for (const door of DOOR_IDS) {
      const poll = seenIn(await peers.ask(door, { fields, path: `${path}polling` }));
      assert.deepEqual([poll.method, poll.url], ["GET", `${path}polling`], door);
      const post = { fields, path: `${path}polling&sid=1`, method: "POST", body: "40" };
      const posted = seenIn(await peers.ask(door, post));
      assert.deepEqual([posted.method, posted.body], ["POST", "40"], door);
      const tunnel = await peers.open(door, { fields, path: `${path}websocket&sid=1` });
      assert.ok(isOpen(tunnel), door);
      assert.equal(await say(tunnel, "2probe"), "io 2probe");
      tunnel.fin();
      // A session that is not known.
      const asked = { fields: [[PORT, String(refusing.port)]] as Field[], path };
      const refusal = await peers.ask(door, asked);
      assert.equal(refusal.status, 400);
      assert.equal(JSON.parse(refusal.body).backend, "refusing");
    }
  });
});

Deno.test("cmux: /healthz of a workspace is its own, without a port it is the proxy's", async () => {
  await withCmux({}, async (peers) => {
    await using backend = await NamedBackend.listen("main");
    for (const door of DOOR_IDS) {
      const asked = { path: "/healthz", fields: [[PORT, String(backend.port)]] as Field[] };
      assert.equal(seenIn(await peers.ask(door, asked)).backend, "main", door);
      const own = await peers.ask(door, { path: "/healthz" });
      assert.deepEqual([own.status, own.body], [200, "ok\n"], door);
    }
  });
});

Deno.test("cmux: a port map in a file: found, changed, broken, not there", async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const failed: string[] = [];
    const portLookup = filePorts(file, {
      ttlMs: 0,
      read: Deno.readTextFile,
      onFailed: (_, e) => failed.push(String(e)),
    });
    await using one = await NamedBackend.listen("one");
    await using two = await NamedBackend.listen("two");
    const write = async (text: string) => {
      await Deno.writeTextFile(`${file}.new`, text);
      await Deno.rename(`${file}.new`, file);
    };
    await withCmux({ portLookup }, async (peers) => {
      const asked = { authority: "web.80.localhost" };
      for (const [door, backend] of DOOR_IDS.map((door, i) => [door, i % 2 ? one : two] as const)) {
        // A port that the operator chose may be any; the one that is asked for is privileged.
        await write(JSON.stringify({ "web.80": backend.port }));
        const want = [backend.name, backend.name];
        assert.deepEqual(await bothForms(peers, door, asked), want, door);
        await write("{ broken");
        assert.deepEqual(await bothForms(peers, door, asked), want, "the last good one stays");
        const none = await peers.ask(door, { authority: "db.80.localhost" });
        assert.deepEqual([none.status, none.body], [502, "no port mapping for db.80\n"]);
      }
    });
    assert.equal(failed.length, DOOR_IDS.length, "each state of the file is told of once");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("cmux: beside routes, what asks for no port is theirs, without the internal headers", async () => {
  await using backend = await NamedBackend.listen("route");
  const target = {
    dial: { hostname: "127.0.0.1", port: backend.port },
    url: backend.url,
    host: null,
    path: null,
    maxHeaderBytes: 16_384,
  };
  const cmux = { ...CMUX_DEFAULTS, required: false };
  await withDoors({ cmux, backend: target }, async (t) => {
    const { port, plainPort } = t.proxy;
    await using peers = new DoorPeers({ port, plainPort, caPem: t.caCerts[0] });
    for (const door of DOOR_IDS) {
      const fields: Field[] = [[OVERRIDE, "evil.example"], ["x-cmux-any", "1"]];
      const seen = seenIn(await peers.ask(door, { fields, authority: "app.example" }));
      assert.equal(seen.backend, "route");
      assert.equal(getField(seen.fields, "host"), "app.example");
      assert.deepEqual(seen.fields.filter(([name]) => /cmux/.test(name)), [], door);
    }
    await backend.close();
  });
});

Deno.test("process: --cmux, and a cmux section with a map file beside routes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using port = await NamedBackend.listen("port");
    await using mapped = await NamedBackend.listen("mapped");
    await using routed = await NamedBackend.listen("routed");
    await Deno.writeTextFile(`${folder}/ports.json`, JSON.stringify({ "web.80": mapped.port }));
    await Deno.writeTextFile(
      `${folder}/h3ws.yaml`,
      `cmux: { map-file: ports.json, ttl: 0 }\nroutes: [{ backend: "${routed.url}" }]\n`,
    );
    const byHeader: Asked = { path: "/ws", fields: [[PORT, String(port.port)]] };
    const byHost: Asked = { path: "/ws", authority: "web.80.localhost" };
    const byNothing: Asked = { path: "/ws" };
    const rows: [flags: string[], wants: [Asked, string][]][] = [
      [["--cmux"], [[byHeader, "port"], [byNothing, "400"]]],
      [
        ["--config", `${folder}/h3ws.yaml`],
        [[byHeader, "port"], [byHost, "mapped"], [byNothing, "routed"]],
      ],
      [[], [[byHeader, "502"]]],
    ];
    for (const [flags, wants] of rows) {
      await using proxy = await startProxyProcess({ backendPort: 1, flags });
      const { caCerts: [caPem] } = proxy;
      await using peers = new DoorPeers({ port: proxy.port, plainPort: null, caPem });
      for (const door of ["h1s", "h2", "h3"] as const) {
        for (const [asked, want] of wants) {
          const tunnel = await peers.open(door, asked);
          const got = isOpen(tunnel) ? (await say(tunnel, "hi")).split(" ")[0] : tunnel.status;
          assert.equal(String(got), want, `${flags} ${door}`);
        }
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
