// A headless browser, driven by puppeteer.
import puppeteer, { type Browser, type LaunchOptions, type Page } from "puppeteer-core";
import { until } from "../../support/until.ts";
import { PageSocket } from "./page_socket.ts";

/** How pages and sockets come: HTTP/3, HTTP/2, HTTP/1.1 over TLS, HTTP/1.1 in clear text. */
export type Way = "h3" | "h2" | "h1s" | "h1";

export interface BrowserOptions {
  /** The browser's executable. */
  path: string;
  /** "h3" by default. */
  way?: Way;
  /** The port of the door that the page comes by. */
  port: number;
  /** Ports that it goes to from there, by HTTP/3 where the page came so. */
  otherPorts?: readonly number[];
  /** Of the certificate that is trusted. */
  spkiHash: string;
  /** Chromium: what everything goes by, `socks5://127.0.0.1:1080`. */
  proxyServer?: string;
  /** What it says to a proxy that asks. */
  credentials?: { username: string; password: string };
}

export interface StartOptions extends Pick<BrowserOptions, "way" | "port" | "credentials"> {
  launch: LaunchOptions;
}

/** Starts one browser or another. */
export type Start = (options: BrowserOptions) => Promise<TestBrowser>;

const START_MS = 60_000;

/** A browser with a profile of its own, on a page of the proxy's. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #profile: string;
  readonly page: Page;

  private constructor(browser: Browser, profile: string, page: Page) {
    this.#browser = browser;
    this.#profile = profile;
    this.page = page;
  }

  /**
   * Opens `/healthz` of `https://localhost:port`, or of `http:`, for a WebSocket goes over HTTP/3
   * and HTTP/2 only after a page.
   */
  static async start(
    { way = "h3", port, launch, credentials }: StartOptions,
  ): Promise<TestBrowser> {
    const profile = await Deno.makeTempDir({ prefix: "h3ws-browser-" });
    let browser: Browser | null = null;
    try {
      browser = await puppeteer.launch({
        userDataDir: profile,
        headless: true,
        timeout: START_MS,
        ...launch,
      });
      const page = await browser.newPage();
      if (credentials !== undefined) await page.authenticate(credentials);
      const scheme = way === "h1" ? "http" : "https";
      await page.goto(`${scheme}://localhost:${port}/healthz`);
      return new TestBrowser(browser, profile, page);
    } catch (error) {
      await browser?.close();
      await remove(profile);
      throw error;
    }
  }

  /** The ALPN token that the page came by. */
  protocol(): Promise<string> {
    return this.page.evaluate(() => {
      const [navigation] = performance.getEntriesByType("navigation");
      return (navigation as unknown as { nextHopProtocol: string }).nextHopProtocol;
    });
  }

  /** A WebSocket of the page's; of a path, to the server that the page came from. */
  open(path = "/ws", protocols: string[] = []): Promise<PageSocket> {
    return PageSocket.open(this.page, path, protocols);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await remove(this.#profile);
  }
}

/** What was left of a browser may still write into its profile. */
async function remove(profile: string): Promise<void> {
  await until("the end of a browser's profile", async () => {
    try {
      await Deno.remove(profile, { recursive: true });
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      return false;
    }
  });
}
