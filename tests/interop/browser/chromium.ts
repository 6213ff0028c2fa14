import { type BrowserOptions, TestBrowser, type Way } from "./browser.ts";

export function startChromium(options: BrowserOptions): Promise<TestBrowser> {
  const launch = { executablePath: options.path, args: flags(options) };
  return TestBrowser.start({ ...options, launch });
}

function flags(options: BrowserOptions): string[] {
  const { way = "h3", port, otherPorts = [], spkiHash, proxyServer } = options;
  return [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...WAYS[way]([port, ...otherPorts]),
    `--ignore-certificate-errors-spki-list=${spkiHash}`,
    // A name that goes to a proxy is for the proxy.
    ...(proxyServer === undefined
      ? ["--host-resolver-rules=MAP localhost 127.0.0.1"]
      : [`--proxy-server=${proxyServer}`, "--proxy-bypass-list=<-loopback>"]),
  ];
}

/** By itself Chromium takes HTTP/2 for a WebSocket where the page came so (RFC 8441). */
const WAYS: Record<Way, (ports: number[]) => string[]> = {
  // The flags of the README: Chromium asks for WebSocket over HTTP/3 only with these.
  h3: (ports) => [
    "--enable-quic",
    `--origin-to-force-quic-on=${ports.map((port) => `localhost:${port}`)}`,
    "--enable-features=EnableWebsocketsOverHttp3",
  ],
  // Alt-Svc tells it of HTTP/3.
  h2: () => ["--disable-quic"],
  h1s: () => ["--disable-quic", "--disable-http2"],
  h1: () => ["--disable-quic"],
};
