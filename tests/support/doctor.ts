import assert from "node:assert/strict";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { run } from "../../src/cli/args.ts";
import { doctorCommand } from "../../src/cli/doctor.ts";
import type { Finding } from "../../src/cli/doctor_finding.ts";
import { TestIo, withFolder } from "../cli/support.ts";
import { testCertificates } from "./proxy.ts";

/** Runs `h3ws doctor` with a test's own environment. */
export async function doctor(args: readonly string[], env: Record<string, string> = {}) {
  const io = new TestIo({ NO_COLOR: "1", ...env });
  const code = await run(["doctor", ...args], { commands: [doctorCommand] }, io);
  return { code, out: io.stdout, err: io.stderr };
}

/** What `--json` told. */
export interface Diagnosis {
  readonly code: number;
  readonly report: { url: string; ok: boolean; tookMs: number; findings: Finding[] };
  /** Level and value of a finding. */
  at(id: string): readonly [level: string, value: string];
  finding(id: string): Finding;
}

/** The same with `--json`, and with the CA of the tests. */
export async function diagnose(args: readonly string[], ca = true): Promise<Diagnosis> {
  let result = { code: -1, out: "", err: "" };
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/ca.pem`, (await testCertificates()).caPem);
    const trust = ca ? ["--ca", `${folder}/ca.pem`] : [];
    result = await doctor(["--json", ...trust, ...args]);
  });
  assert.equal(result.err, "");
  const report: Diagnosis["report"] = JSON.parse(result.out);
  const finding = (id: string) => {
    const found = report.findings.find((one) => one.id === id);
    assert.ok(found, `no finding ${id}`);
    return found;
  };
  return {
    code: result.code,
    report,
    finding,
    at: (id) => [finding(id).level, finding(id).value],
  };
}

/** npm `ws` behind TLS, HTTP/1.1 alone; by default with the tests' certificate. */
export async function withTlsServer(
  tls: ServerOptions | null,
  onSocket: (socket: WebSocket) => void,
  body: (port: number, server: Server) => Promise<void>,
): Promise<void> {
  const { certPem, keyPem } = await testCertificates();
  const server = createServer(tls ?? { cert: certPem, key: keyPem });
  const sockets = new WebSocketServer({ server, perMessageDeflate: true });
  sockets.on("connection", onSocket);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as AddressInfo).port, server);
  } finally {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }
}
