// Opens what can't be opened, and gives the line that says why not.
import assert from "node:assert/strict";
import * as net from "node:net";
import * as tls from "node:tls";
import { makeCertificates } from "../../src/cli/certificates.ts";
import { explain } from "../../src/cli/connect_explain.ts";
import { open, type Plan, Ways } from "../../src/cli/connect_open.ts";
import type { HttpProxy } from "../../src/net/http_proxy.ts";
import { within } from "../support/within.ts";

export const pair = await makeCertificates({ hosts: ["localhost"], days: 1 });
export const other = await makeCertificates({ hosts: ["other.example"], days: 1 });

export interface Try extends Partial<Plan> {
  readonly url: string;
  readonly caFile?: string;
  readonly proxy?: HttpProxy;
}

/** Opens it against all odds; the line that says why not, without the beginning of all. */
export async function whyNot(attempt: Try): Promise<string> {
  const { proxy = null, caFile = null, ...given } = attempt;
  const plan: Plan = {
    ...{ http: "auto", protocols: [], headers: [], insecure: false, followsRedirects: false },
    ...{ timeoutMs: 10_000, proxyFor: () => proxy },
    ...given,
  };
  let tried = plan;
  const onTry = (plan: Plan) => tried = plan;
  const { signal } = new AbortController();
  const hooks = { ways: new Ways(), signal, onPing() {}, onPong() {}, onTry };
  const opening = open(plan, hooks).then(({ socket }) => {
    socket.abort();
    return null;
  }, (error: unknown) => error);
  const error = await within("the end of the attempt", opening);
  assert.ok(error !== null, `${plan.url} was opened`);
  const line = explain(error, {
    ...tried,
    caFile,
    proxy: proxy === null ? null : `${proxy.hostname}:${proxy.port}`,
  });
  const head = `Cannot open ${tried.url}: `;
  assert.ok(line.startsWith(head) && !line.includes("\n"), line);
  return line.slice(head.length);
}

export async function withServer(
  server: net.Server,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket.on("error", () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as net.AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** Answers each request with the same. */
export const answering = (answer: string) =>
  net.createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.end(answer.replaceAll("\n", "\r\n")));
  });

export const secure = (options: tls.TlsOptions) =>
  tls.createServer({ cert: pair.certPem, key: pair.keyPem, ...options }, (socket) => {
    socket.on("error", () => {});
  }).on("tlsClientError", () => {});
