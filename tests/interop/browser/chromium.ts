// Headless Chromium, and a WebSocket in one of its pages.
import { Buffer } from "node:buffer";
import puppeteer, { type Browser, type JSHandle, type Page } from "puppeteer-core";
import { until } from "../../support/until.ts";
import { within } from "../../support/within.ts";

export interface ChromiumOptions {
  /** Chromium's executable. */
  path: string;
  /** The UDP port of the proxy. */
  port: number;
  /** Of the certificate that is trusted. */
  spkiHash: string;
}

const START_MS = 60_000;

/** The flags of the README: Chromium asks for WebSocket over HTTP/3 only with these. */
function flags({ port, spkiHash }: ChromiumOptions): string[] {
  return [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-quic",
    `--origin-to-force-quic-on=localhost:${port}`,
    "--enable-features=EnableWebsocketsOverHttp3",
    `--ignore-certificate-errors-spki-list=${spkiHash}`,
    "--host-resolver-rules=MAP localhost 127.0.0.1",
  ];
}

/** A Chromium with a profile of its own, on a page of the proxy's. */
export class Chromium implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #profile: string;
  readonly page: Page;

  private constructor(browser: Browser, profile: string, page: Page) {
    this.#browser = browser;
    this.#profile = profile;
    this.page = page;
  }

  /** Opens `https://localhost:port/healthz`, for a WebSocket goes over HTTP/3 only after a page. */
  static async start(options: ChromiumOptions): Promise<Chromium> {
    const profile = await Deno.makeTempDir({ prefix: "h3ws-chromium-" });
    let browser: Browser | null = null;
    try {
      browser = await puppeteer.launch({
        executablePath: options.path,
        userDataDir: profile,
        headless: true,
        args: flags(options),
        timeout: START_MS,
      });
      const page = await browser.newPage();
      await page.goto(`https://localhost:${options.port}/healthz`);
      return new Chromium(browser, profile, page);
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

  /** A WebSocket of the page's, to the server that the page came from. */
  open(path = "/ws", protocols: string[] = []): Promise<PageSocket> {
    return PageSocket.open(this.page, path, protocols);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await remove(this.#profile);
  }
}

/** What was left of Chromium may still write into its profile. */
async function remove(profile: string): Promise<void> {
  await until("the end of Chromium's profile", async () => {
    try {
      await Deno.remove(profile, { recursive: true });
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return true;
      return false;
    }
  });
}

/** An event of the page's socket, in the order they came. */
export type PageEvent =
  | { type: "open"; protocol: string; extensions: string }
  | { type: "text"; data: string }
  /** `data` is base64. */
  | { type: "binary"; data: string }
  | { type: "error" }
  | { type: "close"; code: number; reason: string; wasClean: boolean };

/** What lives in the page. */
interface InPage {
  socket: WebSocket;
  next(): Promise<PageEvent>;
}

/** The types of Deno do not know these two yet. */
interface Base64 {
  fromBase64(text: string): Uint8Array<ArrayBuffer>;
}

interface ToBase64 {
  toBase64(): string;
}

export class PageSocket {
  readonly #page: JSHandle<InPage>;

  private constructor(page: JSHandle<InPage>) {
    this.#page = page;
  }

  static async open(page: Page, path: string, protocols: string[]): Promise<PageSocket> {
    return new PageSocket(await page.evaluateHandle(inPage, path, protocols));
  }

  /** The next event. */
  next(): Promise<PageEvent> {
    return within("an event of the page's socket", this.#page.evaluate((page) => page.next()));
  }

  /** The next event, which must be of this type. */
  async expect<T extends PageEvent["type"]>(type: T): Promise<PageEvent & { type: T }> {
    const event = await this.next();
    if (event.type !== type) {
      throw new Error(`Expected ${type} at the page, got ${JSON.stringify(event).slice(0, 200)}`);
    }
    return event as PageEvent & { type: T };
  }

  /** The next message, which must be binary. */
  async binary(): Promise<Uint8Array> {
    return new Uint8Array(Buffer.from((await this.expect("binary")).data, "base64"));
  }

  async send(data: string | Uint8Array): Promise<void> {
    if (typeof data === "string") {
      await this.#page.evaluate(({ socket }, text) => socket.send(text), data);
    } else {
      await this.#page.evaluate(({ socket }, base64) => {
        socket.send((Uint8Array as unknown as Base64).fromBase64(base64));
      }, Buffer.from(data).toString("base64"));
    }
  }

  async close(code: number, reason: string): Promise<void> {
    const close = ({ socket }: InPage, code: number, reason: string) => socket.close(code, reason);
    await this.#page.evaluate(close, code, reason);
  }
}

/** Runs in the page, and so refers to nothing outside of itself. */
function inPage(path: string, protocols: string[]): InPage {
  const socket = new WebSocket(`wss://${location.host}${path}`, protocols);
  socket.binaryType = "arraybuffer";
  const events: PageEvent[] = [];
  let wake = () => {};
  const tell = (event: PageEvent) => {
    events.push(event);
    wake();
  };
  socket.onopen = () => {
    tell({ type: "open", protocol: socket.protocol, extensions: socket.extensions });
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") return tell({ type: "text", data });
    const bytes = new Uint8Array(data) as unknown as ToBase64;
    tell({ type: "binary", data: bytes.toBase64() });
  };
  socket.onerror = () => tell({ type: "error" });
  socket.onclose = ({ code, reason, wasClean }) => tell({ type: "close", code, reason, wasClean });
  return {
    socket,
    async next() {
      while (events.length === 0) await new Promise<void>((resolve) => wake = resolve);
      return events.shift()!;
    },
  };
}
