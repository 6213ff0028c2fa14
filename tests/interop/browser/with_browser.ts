import { readProxyConfig } from "../../../src/config/proxy.ts";
import { serve, type Serving } from "../../../src/cli/serve.ts";
// @ts-types="@types/ws"
import type { ServerOptions } from "ws";
import { metric } from "../../support/process.ts";
import { testCertificates } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";
import { WsBackend, type WsPeer } from "../../support/ws_backend.ts";
import type { Start, TestBrowser, Way } from "./browser.ts";
import type { PageSocket } from "./page_socket.ts";

export interface BrowserTest {
  browser: TestBrowser;
  backend: WsBackend;
  serving: Serving;
  /** One number of /metrics, without the prefix of its name. */
  metric(series: string): Promise<number>;
  /** A socket that is open at both of its ends. */
  open(protocols?: string[]): Promise<{ socket: PageSocket; peer: WsPeer; extensions: string }>;
}

/** A browser, and the way that it goes. */
export interface Visitor {
  /** Its executable. */
  path: string;
  start: Start;
  way: Way;
}

export interface WithBrowserOptions extends Visitor {
  flags?: Record<string, string>;
  backend?: ServerOptions;
}

/** Runs `body` with a page that came that way, on all that `h3ws proxy` starts. */
export async function withBrowser(
  { path, start, way, flags, backend: served }: WithBrowserOptions,
  body: (t: BrowserTest) => Promise<void>,
): Promise<void> {
  await using backend = await WsBackend.listen(served);
  const pair = await testCertificates();
  const config = readProxyConfig({
    ...{ listen: "127.0.0.1:0", metrics: "127.0.0.1:0", "log-level": "warning" },
    // No way but the one that is tried.
    ...(way === "h3" ? { tcp: "false" } : { "plain-listen": "127.0.0.1:0" }),
    backend: `ws://127.0.0.1:${backend.port}`,
    ...flags,
  });
  const serving = await serve(config, { pair });
  try {
    const port = way === "h1" ? serving.proxy.plainPort! : serving.proxy.port;
    await using browser = await start({ path, way, port, spkiHash: pair.spkiHash });
    await body({
      ...{ browser, backend, serving },
      metric: (series) => metric(`http://${serving.metrics}`, `h3ws_proxy_${series}`),
      async open(protocols) {
        const socket = await browser.open("/ws", protocols);
        const { extensions } = await socket.expect("open");
        return { socket, peer: await backend.accept(), extensions };
      },
    });
    // A browser does not take leave when it ends, but a page does.
    if (!browser.page.isClosed()) await browser.page.close();
    await until("the end of all sessions", () => serving.proxy.sessions === 0);
  } finally {
    await serving.drain(0);
  }
}
