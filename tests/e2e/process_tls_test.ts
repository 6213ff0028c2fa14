// `h3ws proxy` as a process of its own, and certificates: its own, that change while it runs, and
// the backend's.
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import { RawBackend, type RawBackendOptions } from "../support/backend.ts";
import { fromBackend, fromClient } from "../support/frames.ts";
import { startProxyProcess } from "../support/process.ts";
import { RawClient } from "../support/raw_h3.ts";

const HOSTS = ["localhost", "127.0.0.1"];

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function writePair(folder: string, { certPem, keyPem }: Certificates): Promise<void> {
  // As tools do: each file is put in its place whole.
  for (const [name, text] of [["cert.pem", certPem], ["key.pem", keyPem]]) {
    await Deno.writeTextFile(`${folder}/${name}.new`, text);
    await Deno.rename(`${folder}/${name}.new`, `${folder}/${name}`);
  }
}

Deno.test("process: a certificate that changes is taken for new connections, sessions live on", async () => {
  await withFolder(async (folder) => {
    const [first, second] = [
      await makeCertificates({ hosts: HOSTS, days: 1 }),
      await makeCertificates({ hosts: HOSTS, days: 1 }),
    ];
    await writePair(folder, first);
    const backend = await RawBackend.listen();
    const clients: RawClient[] = [];
    try {
      const flags = ["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`];
      await using proxy = await startProxyProcess({ backendPort: backend.port, flags });
      const connect = async ({ caPem }: Certificates) => {
        const client = await RawClient.connect({ port: proxy.port, caCerts: [caPem] });
        clients.push(client);
        await client.roundTrip();
        return client;
      };
      const quic = await connect(first);
      const client = await quic.connectWs();
      const conn = await backend.upgrade();
      await client.response();

      // Unusable: not PEM; the old pair stays, and the log says so.
      await Deno.writeTextFile(`${folder}/cert.pem`, "half writ");
      const error = await proxy.logged("cert.error");
      assert.match(String(error.message), /cert\.pem/);
      assert.match(String(error.message), /the old pair stays/);
      await connect(first);
      // Gone.
      await Deno.remove(`${folder}/cert.pem`);
      await proxy.logged("cert.error", ({ message }) => /no such file/.test(String(message)));
      await connect(first);
      // A certificate that the key does not fit.
      await Deno.writeTextFile(`${folder}/cert.pem`, second.certPem);
      await proxy.logged("cert.error", ({ message }) => /Cannot use/.test(String(message)));
      await connect(first);

      await writePair(folder, second);
      await proxy.logged("cert.reloaded");
      await connect(second);
      await assert.rejects(connect(first), "the old certificate is no longer given");

      const up = fromClient.text("still here");
      const down = fromBackend.text("so am I");
      await client.send(up);
      conn.write(down);
      assert.deepEqual(await conn.inbox.take(up.length), up);
      assert.deepEqual(await client.inbox.take(down.length), down);
    } finally {
      for (const client of clients) client.close();
      await backend.close();
    }
  });
});

interface BackendRow {
  name: string;
  /** The backend's certificate is of this CA; `null` for no TLS. */
  flags: (files: { ca: string; otherCa: string; unix: string; port: number }) => string[];
  listen: (tls: RawBackendOptions["tls"], unix: string) => RawBackendOptions;
  status: 200 | 502;
  log?: RegExp;
}

const ROWS: BackendRow[] = [
  {
    name: "--backend wss: with --backend-ca",
    flags: ({ ca, port }) => ["--backend", `wss://127.0.0.1:${port}/in`, "--backend-ca", ca],
    listen: (tls) => ({ tls }),
    status: 200,
  },
  {
    name: "--backend wss: with a wrong --backend-ca: 502, and a log that says why",
    flags: ({ otherCa, port }) => ["--backend", `wss://localhost:${port}`, "--backend-ca", otherCa],
    listen: (tls) => ({ tls }),
    status: 502,
    log: /Cannot dial wss:\/\/localhost:\d+.*: .*certificate/i,
  },
  {
    name: "--backend wss: without --backend-ca: 502, and a log that says why",
    flags: ({ port }) => ["--backend", `wss://localhost:${port}`],
    listen: (tls) => ({ tls }),
    status: 502,
    log: /Cannot dial wss:\/\/localhost:\d+.*: .*certificate/i,
  },
  {
    name: "--backend wss: with --backend-insecure",
    flags: ({ port }) => ["--backend", `wss://127.0.0.1:${port}/in`, "--backend-insecure"],
    listen: (tls) => ({ tls }),
    status: 200,
  },
  {
    name: "--backend ws+unix:",
    flags: ({ unix }) => ["--backend", `ws+unix:${unix}:/in`],
    listen: (_tls, unixPath) => ({ unixPath }),
    status: 200,
  },
];

for (const row of ROWS) {
  Deno.test(`process: ${row.name}`, async () => {
    await withFolder(async (folder) => {
      const own = await makeCertificates({ hosts: HOSTS, days: 1 });
      const other = await makeCertificates({ hosts: HOSTS, days: 1 });
      const files = { ca: `${folder}/ca.pem`, otherCa: `${folder}/other.pem` };
      const unix = `${folder}/backend.sock`;
      await Deno.writeTextFile(files.ca, own.caPem);
      await Deno.writeTextFile(files.otherCa, other.caPem);
      const tls = { cert: own.certPem, key: own.keyPem };
      const backend = await RawBackend.listen(row.listen(tls, unix));
      const { port } = backend;
      let quic: RawClient | null = null;
      try {
        const flags = row.flags({ ...files, unix, port });
        await using proxy = await startProxyProcess({ backendPort: 1, flags });
        quic = await RawClient.connect({ port: proxy.port, caCerts: proxy.caCerts });
        const client = await quic.connectWs({ path: "/ws?a=1" });
        if (row.status === 200) {
          const conn = await backend.accept();
          assert.equal((await conn.request()).target, "/in?a=1");
          conn.upgrade();
        }
        assert.equal((await client.response()).status, row.status);
        if (row.log !== undefined) {
          const line = await proxy.logged("ws.error");
          assert.match(String(line.message), row.log);
        }
      } finally {
        quic?.close();
        await backend.close();
      }
    });
  });
}
