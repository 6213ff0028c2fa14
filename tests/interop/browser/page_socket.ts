// A WebSocket in a page of a browser.
import { Buffer } from "node:buffer";
import type { JSHandle, Page } from "puppeteer-core";
import { within } from "../../support/within.ts";

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

  /** Without a code Close has none. */
  async close(code?: number, reason?: string): Promise<void> {
    const close = ({ socket }: InPage, code?: number, reason?: string) =>
      socket.close(code, reason);
    await this.#page.evaluate(close, code, reason);
  }
}

/** Runs in the page, and so refers to nothing outside of itself. */
function inPage(path: string, protocols: string[]): InPage {
  const socket = new WebSocket(new URL(path, location.href.replace(/^http/, "ws")), protocols);
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
