import assert from "node:assert/strict";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { cmuxOptions } from "../../src/cli/cmux.ts";
import { CommandError } from "../../src/cli/command.ts";
import { configure, load } from "../../src/cli/configured.ts";
import { serve, type ServeExtras } from "../../src/cli/serve.ts";
import { waysFields } from "../../src/cli/start_line.ts";
import { readProxyConfig } from "../../src/config/proxy.ts";
import { silentLog } from "../../src/observe/log.ts";
import { withFolder } from "./support.ts";

const { certPem, keyPem } = await makeCertificates({ hosts: ["localhost"], days: 1 });
const pair = { certPem, keyPem };
const LOCAL = "127.0.0.1:0";

function configFor(flags: Record<string, string>) {
  return readProxyConfig({ listen: LOCAL, metrics: "off", "log-level": "off", ...flags });
}

async function serveAndStop(flags: Record<string, string>, extras: ServeExtras = {}) {
  const serving = await serve(configFor(flags), { pair, ...extras });
  try {
    const health = serving.metrics === null
      ? null
      : await (await fetch(`http://${serving.metrics}/readyz`)).text();
    return { port: serving.proxy.port, metrics: serving.metrics, health };
  } finally {
    await serving.drain(0);
  }
}

async function withTcpPort(body: (address: string) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await body(`127.0.0.1:${listener.addr.port}`);
  } finally {
    listener.close();
  }
}

async function withUdpPort(body: (address: string) => Promise<void>): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  try {
    await body(`127.0.0.1:${(socket.addr as Deno.NetAddr).port}`);
  } finally {
    socket.close();
  }
}

function refused(work: Promise<unknown>, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof CommandError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("serve: a metrics port that is taken only by default does not fail the start", async () => {
  await withTcpPort(async (metrics) => {
    const config = { ...configFor({ metrics }), metricsGiven: false };
    const serving = await serve(config, { pair });
    assert.equal(serving.metrics, null);
    await serving.drain(0);
  });
});

Deno.test("serve: a metrics port that was asked for and is taken fails the start, nothing half started", async () => {
  await withTcpPort((metrics) =>
    refused(
      serveAndStop({ metrics }),
      new RegExp(`^Cannot listen on TCP ${metrics}: .*; --metrics names another`),
    )
  );
});

Deno.test("serve: where any port will do, one that is taken by TCP alone gives way too", async () => {
  const freePort = { listen: true, metrics: false };
  await withTcpPort(async (listen) => {
    const { port } = await serveAndStop({ listen }, { freePort });
    assert.notEqual(`127.0.0.1:${port}`, listen);
  });
  await withTcpPort((listen) =>
    refused(serveAndStop({ listen }), new RegExp(`^Cannot listen on TCP ${listen}: `))
  );
  // That of --plain-listen was asked for.
  await withTcpPort((listen) =>
    refused(
      serveAndStop({ "plain-listen": listen }, { freePort }),
      new RegExp(`^Cannot listen on TCP ${listen}: .*; --plain-listen names another$`),
    )
  );
});

Deno.test("serve: a port that is taken: no flag is advised that the command does not have", async () => {
  const listening = (listen: string, rest: string) =>
    new RegExp(
      `^Cannot listen on TCP ${listen}: the address is in use; --listen names another${rest}$`,
    );
  await withTcpPort((listen) => refused(serveAndStop({ listen }), listening(listen, "")));
  const configured = await configure({}, {});
  await withTcpPort((listen) =>
    refused(
      serveAndStop({ listen }, { configured }),
      listening(listen, ", --tcp off does without"),
    )
  );
});

interface Listening {
  name: string;
  flags?: Record<string, string>;
  /** Of the file; `null` for none. */
  text: string | null;
  want: Record<string, unknown>;
}

const ROUTE = "{ match: { path: /a }, backend: ws://a }";
const BACKEND = "ws://127.0.0.1:8080";

const LISTENING: Listening[] = [
  { name: "flags alone", text: null, want: { backend: BACKEND } },
  {
    name: "a file with routes, of which one is off",
    text: `routes: [${ROUTE}, { enabled: false, match: { path: /b }, backend: ws://b }]`,
    want: { config: "FILE", routes: 1 },
  },
  {
    name: "a file without routes",
    text: `backend: ws://b`,
    want: { config: "FILE", backend: "ws://b" },
  },
  { name: "--cmux", flags: { cmux: "true" }, text: null, want: { cmux: true } },
  {
    name: "cmux, where what asks for no port goes to the backend",
    text: "cmux: { required: false }",
    want: { cmux: true, config: "FILE", backend: BACKEND },
  },
  {
    name: "cmux beside routes",
    text: `cmux: {}\nroutes: [${ROUTE}]`,
    want: { cmux: true, config: "FILE", routes: 1 },
  },
];

for (const { name, flags = {}, text, want } of LISTENING) {
  Deno.test(`serve: what the line of a start tells of where requests go: ${name}`, () =>
    withFolder(async (folder) => {
      const config = `${folder}/h3ws.yaml`;
      if (text !== null) await Deno.writeTextFile(config, text);
      const given = { ...flags, ...(text !== null && { config }) };
      const configured = await configure(given, {});
      const loaded = await load(configured);
      const cmux = cmuxOptions(configured.config, {
        file: configured.file,
        log: silentLog,
      });
      const fields = waysFields(configured.config, { loaded, cmux });
      if (fields.config === config) fields.config = "FILE";
      assert.deepEqual(fields, want);
    }));
}

Deno.test("serve: a metrics address of another machine fails the start, given or not", async () => {
  const config = { ...configFor({ metrics: "192.0.2.1:9090" }), metricsGiven: false };
  await refused(serve(config, { pair }), /^Cannot listen on TCP 192\.0\.2\.1:9090: /);
});

Deno.test("serve: a UDP port that is taken fails the start, and the metrics port is free again", async () => {
  await withUdpPort(async (listen) => {
    let metrics = "";
    await withTcpPort((address) => Promise.resolve(void (metrics = address)));
    await refused(
      serveAndStop({ listen, metrics }),
      new RegExp(`^Cannot listen on UDP ${listen}: the address is in use; --listen names another$`),
    );
    const { health } = await serveAndStop({ metrics });
    assert.equal(health, "ready\n");
  });
});

Deno.test("serve: where it is asked to, it takes free ports instead of taken ones", async () => {
  await withUdpPort((listen) =>
    withTcpPort(async (metrics) => {
      const freePort = { listen: true, metrics: true };
      const served = await serveAndStop({ listen, metrics }, { freePort });
      assert.notEqual(served.port, Number(listen.split(":")[1]));
      assert.notEqual(served.metrics, metrics);
      assert.equal(served.health, "ready\n");
      await refused(
        serveAndStop({ listen, metrics }, { freePort: { listen: false, metrics: true } }),
        /^Cannot listen on UDP /,
      );
    })
  );
});

Deno.test("serve: a certificate that is missing is told with the way to one", async () => {
  await withFolder(async (folder) => {
    const flags = { cert: `${folder}/cert.pem`, key: `${folder}/key.pem` };
    await refused(
      serve(configFor(flags)),
      /^Cannot read \S+\/cert\.pem: no such file; h3ws certs makes a pair for development$/,
    );
    await refused(
      serve(configFor({ "backend-ca": flags.key }), { pair }),
      /^Cannot read \S+: no such file$/,
    );
    await Deno.writeTextFile(flags.key, keyPem);
    await refused(
      serve(configFor({ "backend-ca": flags.key }), { pair }),
      /^Cannot use \S+ for --backend-ca: no certificate in PEM is in it$/,
    );
    await Deno.writeTextFile(flags.cert, "no certificate");
    await refused(serve(configFor(flags)), /^Cannot use \S+cert\.pem with \S+key\.pem: /);
    const other = await makeCertificates({ hosts: ["localhost"], days: 1 });
    await Deno.writeTextFile(flags.cert, other.certPem);
    await refused(serve(configFor(flags)), /^Cannot use \S+cert\.pem with \S+key\.pem: /);
  });
});
