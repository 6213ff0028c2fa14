// Backpressure up to a page, by the browser's own WebSocketStream: who reads slowly stops who writes.
import assert from "node:assert/strict";
import type { JSHandle, Page } from "puppeteer-core";
import type { WebSocketHandler } from "../../../src/server/exchange.ts";
import { steady } from "../../support/steady.ts";
import { within } from "../../support/within.ts";
import type { ServerFlow } from "./server_flows.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES = 65_536;
const PIECES = 512;
const ALL = PIECES * PIECE_BYTES;
/** Windows, and what the browser and the system buffer on either side. */
const MAY_BE_ON_ITS_WAY = 16 * MIB;

/** The types of Deno do not know it. */
interface StreamInPage {
  opened: Promise<{
    readable: ReadableStream<string | ArrayBuffer>;
    writable: WritableStream<string | Uint8Array>;
  }>;
  closed: Promise<{ closeCode: number; reason: string }>;
  close(info: { closeCode: number; reason: string }): void;
}

/** What lives in the page. */
interface InPage {
  stream: StreamInPage;
  reader: ReadableStreamDefaultReader<string | ArrayBuffer>;
  writer: WritableStreamDefaultWriter<string | Uint8Array>;
  written: number;
}

type MakesStreams = { WebSocketStream: new (url: string) => StreamInPage };

function openStream(page: Page, path: string): Promise<JSHandle<InPage>> {
  return page.evaluateHandle(async (path) => {
    const { WebSocketStream } = globalThis as unknown as MakesStreams;
    const stream = new WebSocketStream(new URL(path, location.href.replace(/^http/, "ws")).href);
    const { readable, writable } = await stream.opened;
    return { stream, reader: readable.getReader(), writer: writable.getWriter(), written: 0 };
  }, path);
}

/** Of a browser that has `WebSocketStream`. */
export function streamFlows(): ServerFlow[] {
  return [slowHandler(), slowPage()];
}

function slowHandler(): ServerFlow {
  const reads = Promise.withResolvers<void>();
  const read = Promise.withResolvers<number>();
  const handler: WebSocketHandler = async (request) => {
    const socket = await request.accept();
    await reads.promise;
    let bytes = 0;
    while (bytes < ALL) bytes += (await socket.receive())?.length ?? Infinity;
    read.resolve(bytes);
    await socket.close(4006, "all of it");
  };
  return {
    name: "a handler that does not read stops a page's WebSocketStream, then gets all of it",
    handler,
    async run({ browser }, path) {
      const handle = await openStream(browser.page, path);
      await handle.evaluate((page, pieces, length) => {
        const write = async () => {
          for (let i = 0; i < pieces; i++) {
            await page.writer.write(new Uint8Array(length));
            page.written += length;
          }
        };
        // Not waited for.
        void write();
      }, ...[PIECES, PIECE_BYTES] as const);
      const held = await steady("what is written", () => handle.evaluate(({ written }) => written));
      assert.ok(held < MAY_BE_ON_ITS_WAY, `${held} bytes are on their way`);
      reads.resolve();
      assert.equal(await within("all of it", read.promise), ALL);
      const closed = await within("the end", handle.evaluate(({ stream }) => stream.closed));
      assert.deepEqual([closed.closeCode, closed.reason], [4006, "all of it"]);
    },
  };
}

function slowPage(): ServerFlow {
  let sent = 0;
  let most = 0;
  const handler: WebSocketHandler = async (request) => {
    const socket = await request.accept();
    const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES));
    for (let i = 0; i < PIECES; i++) {
      const sending = socket.send(piece);
      most = Math.max(most, socket.bufferedAmount);
      await sending;
      sent += piece.length;
    }
  };
  return {
    name: "a page that does not read its WebSocketStream stops a handler, then gets all of it",
    handler,
    async run({ browser }, path) {
      const handle = await openStream(browser.page, path);
      const held = await steady("what is sent", () => sent);
      assert.ok(held < MAY_BE_ON_ITS_WAY, `${held} bytes are on their way`);
      assert.ok(most <= PIECE_BYTES, `${most} bytes are buffered`);
      const reading = handle.evaluate(async ({ reader, stream }) => {
        let bytes = 0;
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          bytes += (value as ArrayBuffer).byteLength;
        }
        return { bytes, code: (await stream.closed).closeCode };
      });
      assert.deepEqual(await within("all of it", reading), { bytes: ALL, code: 1000 });
    },
  };
}
