import { type BrowserOptions, TestBrowser, type Way } from "./browser.ts";

/** Trusts any certificate: it can't be told of one alone. */
export function startFirefox(options: BrowserOptions): Promise<TestBrowser> {
  const launch = {
    browser: "firefox",
    executablePath: options.path,
    acceptInsecureCerts: true,
    extraPrefsFirefox: preferences(options.way),
  } as const;
  return TestBrowser.start({ ...options, launch });
}

/** Over HTTP/2 it takes WebSockets by itself (RFC 8441); over HTTP/3 it does not. */
function preferences(way: Way = "h2"): Record<string, boolean> {
  return {
    "network.http.http3.enable": false,
    "network.http.http2.enabled": way === "h2",
  };
}
