// Two ends of QUIC connections in one process.
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../../src/cli/certificates.ts";
import { NetError, type NetErrorKind } from "../../src/net/error.ts";
import { type QuicConnection } from "../../src/net/quic.ts";
import { connectQuic } from "../../src/net/quic_connect.ts";
import { QuicServer } from "../../src/net/quic_server.ts";
import { type QuicStream } from "../../src/net/quic_stream.ts";
import { within } from "../support/within.ts";

/** What the server begins with. */
export const first: Certificates = await makeCertificates({ hosts: ["localhost"], days: 1 });
export const second: Certificates = await makeCertificates({ hosts: ["localhost"], days: 1 });

export const TRANSPORT = { maxStreams: 16, idleTimeoutMs: 60_000, keepaliveMs: 0 };

export interface Peers {
  server: QuicServer;
  /** Both ends of a new connection, which ends with the test. */
  connect(trusted?: Certificates): Promise<{ near: QuicConnection; far: QuicConnection }>;
}

/** Runs `body` with a server, and waits for the end of its connections. */
export async function withServer(body: (peers: Peers) => Promise<void>): Promise<void> {
  const server = new QuicServer({
    ...TRANSPORT,
    ...{ hostname: "127.0.0.1", port: 0, alpnProtocols: ["test"] },
    ...{ certPem: first.certPem, keyPem: first.keyPem },
  });
  const all: QuicConnection[] = [];
  try {
    await body({
      server,
      async connect(trusted = first) {
        const accepting = server.incoming();
        const connecting = connectQuic(ofConnect(server.port, trusted));
        const far = (await accepting)!.accept();
        all.push(far);
        const [near] = await within(
          "a handshake",
          Promise.all([connecting, far.handshake().catch(() => {})]),
        );
        all.push(near);
        return { near, far };
      },
    });
  } finally {
    server.close();
    await within("the end of all", Promise.all(all.map(({ closed }) => closed)));
  }
}

/** How a client connects to it. */
export function ofConnect(port: number, trusted: Certificates) {
  return {
    ...{ hostname: "127.0.0.1", serverName: "localhost", port },
    ...{ alpnProtocols: ["test"], caCerts: [trusted.caPem], ...TRANSPORT },
  };
}

export async function rejectsAs(kind: NetErrorKind, work: Promise<unknown>): Promise<void> {
  await assert.rejects(within("its end", work), (error) => {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    return true;
  });
}

/** Both ends of a new stream. */
export async function streamOf(
  { near, far }: { near: QuicConnection; far: QuicConnection },
): Promise<{ here: QuicStream; there: QuicStream }> {
  const here = await near.openStream();
  await here.write(new Uint8Array([1]));
  const there = (await within("a stream", far.acceptStream()))!;
  assert.deepEqual(await there.read(), new Uint8Array([1]));
  return { here, there };
}
