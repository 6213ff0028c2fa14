import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import { fromFetch } from "../../../src/server/from_fetch.ts";
import type { FetchHandler, FetchInfo } from "../../../src/server/fetch.ts";
import type { ServeOptions } from "../../../src/server/options.ts";
import { type TestServer, withServer } from "../../server/support.ts";
import { testCertificates } from "../../support/proxy.ts";
import type { TestBrowser, Way } from "./browser.ts";
import type { PageSocket } from "./page_socket.ts";
import type { Visitor } from "./with_browser.ts";

/** A page of a server's own, in a browser. */
export interface ServerPage extends TestServer {
  readonly browser: TestBrowser;
  readonly way: Way;
  /** Of the page, as browsers write it. */
  readonly origin: string;
  /** A socket of the page's that is open. */
  open(path: string, protocols?: string[]): Promise<PageSocket>;
}

/** An application as a framework makes it. */
const APP = {
  async fetch(request: Request, { httpVersion }: FetchInfo): Promise<Response | undefined> {
    switch (new URL(request.url).pathname) {
      case "/healthz":
        return new Response("<!doctype html><title>of serve</title>", {
          headers: { "content-type": "text/html" },
        });
      case "/api":
        return Response.json({ httpVersion, body: await request.text() });
      default:
        return undefined;
    }
  },
};

/** Gives the page. */
export const pages: FetchHandler = fromFetch(APP);

/** A server that is reached that way and no other. */
export function doorOf(way: Way): ServeOptions {
  const versions = { h3: way === "h3", h2: way === "h2", h1: way === "h1s" || way === "h1" };
  const here = "127.0.0.1:0";
  return way === "h1"
    ? { versions, listen: null, plainListen: here }
    : { versions, listen: here, plainListen: null };
}

/** The origin of a server's pages. */
export function originOf({ port, plainPort }: TestServer, way: Way): string {
  return way === "h1" ? `http://localhost:${plainPort}` : `https://localhost:${port}`;
}

export interface WithServerPageOptions extends Visitor {
  options?: ServeOptions;
  handler: WebSocketHandler;
  otherPorts?: readonly number[];
}

/** Runs `body` with a page that a server gave, over that way. */
export async function withServerPage(
  { path, start, way, options, handler, otherPorts }: WithServerPageOptions,
  body: (t: ServerPage) => Promise<void>,
): Promise<void> {
  const { spkiHash } = await testCertificates();
  await withServer({ ...doorOf(way), fetch: pages, ...options }, handler, async (t) => {
    const port = way === "h1" ? t.plainPort : t.port;
    await using browser = await start({ path, way, port, otherPorts, spkiHash });
    await body({
      ...{ ...t, browser, way, origin: originOf(t, way) },
      async open(path, protocols) {
        const socket = await browser.open(path, protocols);
        await socket.expect("open");
        return socket;
      },
    });
  });
}
