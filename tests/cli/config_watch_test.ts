import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { ConfigWatch } from "../../src/cli/config_watch.ts";
import { configure, load } from "../../src/cli/configured.ts";
import { stampOf } from "../../src/cli/files.ts";
import { createLog, type LogRecord } from "../../src/observe/log.ts";
import type { Proxy } from "../../src/proxy/options.ts";
import type { Route } from "../../src/proxy/route.ts";
import { until } from "../support/until.ts";
import { withFolder } from "./support.ts";

interface Watching {
  file: string;
  /** What the proxy got, oldest first. */
  replaced: (readonly Route[])[];
  log: LogRecord[];
  begin(): void;
}

/** Has a file of `text` read as for a start of the proxy; the watch of it begins at `begin`. */
async function withRead(
  folder: string,
  text: string,
  body: (watching: Watching) => Promise<void>,
): Promise<void> {
  const file = `${folder}/h3ws.yaml`;
  await Deno.writeTextFile(file, text);
  const configured = await configure({ config: file }, {});
  const replaced: (readonly Route[])[] = [];
  const log: LogRecord[] = [];
  const proxy = { replaceRoutes: (routes) => replaced.push(routes) } as Partial<Proxy> as Proxy;
  let watch: ConfigWatch | null = null;
  try {
    await body({
      ...{ file, replaced, log },
      begin: () => {
        const lines = createLog((record) => log.push(record));
        watch = new ConfigWatch(configured, { proxy, log: lines, intervalMs: 10 });
      },
    });
  } finally {
    await (watch as ConfigWatch | null)?.stop();
  }
}

/** Puts a file in the place of another at once: none is read half written. */
async function put(file: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${file}.new`, text);
  await Deno.rename(`${file}.new`, file);
}

const route = (path: string, more = "") =>
  `  - { match: { path: ${path} }, backend: ws://a${more} }\n`;

Deno.test("config watch: what changes between the first read and its beginning is read again", () =>
  withFolder((folder) =>
    withRead(folder, `routes:\n${route("/a")}`, async ({ file, replaced, log, begin }) => {
      await Deno.writeTextFile(file, `routes:\n${route("/a")}${route("/b")}`);
      begin();
      await until("the change", () => log.length > 0);
      assert.deepEqual(log.map(({ rawMessage }) => rawMessage), ["config.reloaded"]);
      assert.deepEqual(replaced.map((routes) => routes.length), [2]);
    })
  ));

interface Change {
  name: string;
  before: string;
  after: string;
  /** How many routes the proxy got; `null` where it got none to put in the place of the old. */
  replaced: number | null;
  /** What the log tells: those that are in force. */
  routes: number;
  afterRestart?: string;
}

const TWO = `routes:\n${route("/a")}${route("/b")}`;

const GATEWAY = "gateway: { auth_username: a, auth_password: b, balance: failover }\n";

const CHANGES: Change[] = [
  { name: "an emptied list", before: TWO, after: "routes: []\n", replaced: 0, routes: 0 },
  {
    name: "an emptied list beside a backend, which was that of routes without one",
    ...{ before: `backend: ws://b\n${TWO}`, after: "backend: ws://b\nroutes: []\n" },
    ...{ replaced: 0, routes: 0 },
  },
  {
    name: "an empty list that is filled",
    before: "routes: []\n",
    after: TWO,
    replaced: 2,
    routes: 2,
  },
  {
    name: "a route that is switched off",
    ...{ before: TWO, after: `${TWO.trimEnd().slice(0, -1)}, enabled: false }\n` },
    ...{ replaced: 2, routes: 1 },
  },
  {
    name: "no list any more",
    ...{ before: TWO, after: "listen: :8443\n", replaced: null, routes: 2 },
    afterRestart: "listen, routes",
  },
  {
    name: "a list where there was none",
    ...{ before: "backend: ws://a\n", after: TWO, replaced: null, routes: 0 },
    afterRestart: "backend, routes",
  },
  {
    name: "a gateway where there was none",
    ...{ before: TWO, after: `${TWO}${GATEWAY}`, replaced: 2, routes: 2 },
    afterRestart: "gateway, gateway.balance",
  },
];

for (const { name, before, after, replaced: want, routes, afterRestart } of CHANGES) {
  Deno.test(`config watch: ${name}: the log tells how many routes are in force`, () =>
    withFolder((folder) =>
      withRead(folder, before, async ({ file, replaced, log, begin }) => {
        begin();
        await put(file, after);
        await until("the change", () => log.length > 0);
        assert.deepEqual(log.map(({ rawMessage }) => rawMessage), ["config.reloaded"]);
        const told = { file, routes, ...(afterRestart !== undefined && { afterRestart }) };
        assert.deepEqual(log[0].properties, told);
        assert.deepEqual(replaced.map((routes) => routes.length), want === null ? [] : [want]);
      })
    ));
}

Deno.test("config watch: a route behind agents needs a gateway that was there at the start", () =>
  withFolder((folder) =>
    withRead(folder, TWO, async ({ file, replaced, log, begin }) => {
      begin();
      await put(file, `${TWO}  - { match: { path: /c }, backend: "agent://a/b:1" }\n${GATEWAY}`);
      await until("the fault", () => log.length > 0);
      assert.deepEqual(log.map(({ rawMessage }) => rawMessage), ["config.error"]);
      assert.equal(
        log[0].properties.message,
        "gateway: was not there at the start, and backends behind agents need it; allowed: a " +
          "restart; nothing is changed",
      );
      assert.deepEqual(replaced, []);
    })
  ));

Deno.test("config watch: an empty list of routes is the same at a start: nothing goes to a backend", () =>
  withFolder(async (folder) => {
    const config = `${folder}/h3ws.yaml`;
    await Deno.writeTextFile(config, "backend: ws://b\nroutes: []\n");
    const configured = await configure({ config }, {});
    assert.deepEqual((await load(configured)).routes, []);
    await assert.rejects(configure({ config, path: "/x" }, {}), /can't stand beside the routes/);
  }));

Deno.test("config watch: a CA of the routes that changes is a change of the file", () =>
  withFolder(async (folder) => {
    const [first, second] = [
      await makeCertificates({ hosts: ["a"], days: 1 }),
      await makeCertificates({ hosts: ["a"], days: 1 }),
    ];
    const ca = `${folder}/ca.pem`;
    await Deno.writeTextFile(ca, first.caPem);
    const text = `routes:\n${route("/a", ", backend-ca: ca.pem").replace("ws:", "wss:")}`;
    await withRead(folder, text, async ({ replaced, log, begin }) => {
      begin();
      await put(ca, "no PEM");
      await until("the fault", () => log.length > 0);
      const { rawMessage, properties } = log.splice(0)[0];
      assert.equal(rawMessage, "config.error");
      assert.match(String(properties.message), /ca\.pem .*no certificate .*nothing is changed$/);
      await put(ca, second.caPem);
      await until("the change", () => log.length > 0);
      assert.equal(log[0].rawMessage, "config.reloaded");
      const [[{ backends: [{ dial }] }]] = replaced;
      assert.deepEqual(dial.tls?.caCerts, [second.caPem]);
    });
  }));

Deno.test("config watch: a pipe is read once", {
  ignore: Deno.build.os === "windows",
}, () =>
  withFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const before = await stampOf(pipe);
    const [read] = await Promise.all([
      configure({ config: pipe }, {}),
      Deno.writeTextFile(pipe, `routes:\n${route("/a")}`),
    ]);
    assert.equal(read.file?.routes.length, 1);
    assert.deepEqual([...read.stamps], [[pipe, before]]);
    assert.equal(await stampOf(pipe), before);
    // By who asks for it.
    await assert.rejects(read.again(), /Cannot read .*pipe: it is not a regular file$/);
  }));

Deno.test("config watch: once it is stopped, what it was reading comes to nothing, and nobody has to wait", () =>
  withFolder(async (folder) => {
    const file = `${folder}/h3ws.yaml`;
    await Deno.writeTextFile(file, `routes:\n${route("/a")}`);
    const configured = await configure({ config: file }, {});
    for (const settle of ["resolve", "reject"] as const) {
      const reading = Promise.withResolvers<typeof configured>();
      const begun = Promise.withResolvers<void>();
      const again = () => {
        begun.resolve();
        return reading.promise;
      };
      const told: unknown[] = [];
      const proxy = { replaceRoutes: (routes) => told.push(routes) } as Partial<Proxy> as Proxy;
      const log = createLog((record) => told.push(record));
      const watch = new ConfigWatch({ ...configured, again }, { proxy, log, intervalMs: 10 });
      const reloads = [watch.reload(), watch.reload()];
      await begun.promise;
      const stopped = watch.stop();
      if (settle === "resolve") reading.resolve(configured);
      else reading.reject(new Error("gone"));
      await Promise.all([...reloads, stopped, watch.reload()]);
      assert.deepEqual(told, [], settle);
    }
  }));
