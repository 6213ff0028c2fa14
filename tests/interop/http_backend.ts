// A backend of ordinary requests that is not ours: node:http.
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { within } from "../support/within.ts";

/** What came, when it was read to its end. */
export interface SeenRequest {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  trailers: IncomingMessage["trailers"];
  bytes: number;
}

/** What `/range` has: a mebibyte. */
export const RANGED = Uint8Array.from({ length: 2 ** 20 }, (_, i) => i * 31 + (i >> 8));
const CHUNK = Buffer.alloc(2 ** 18, 7);

/** Listens on a free port of 127.0.0.1. */
export class HttpBackend implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#take(request, response));
  /** In the order of their ends. */
  readonly requests: SeenRequest[] = [];
  /** Answers that have not ended. */
  open = 0;
  #events = Promise.withResolvers<ServerResponse>();

  private constructor() {
    this.#server.on("checkContinue", (request, response) => {
      if (request.url === "/refused") return void response.writeHead(417).end("no\n");
      response.writeContinue();
      this.#server.emit("request", request, response);
    });
  }

  static async listen(): Promise<HttpBackend> {
    const backend = new HttpBackend();
    await new Promise<void>((resolve) => backend.#server.listen(0, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next answer to `/events`, which the test writes. */
  async events(): Promise<ServerResponse> {
    const response = await within("a request of /events", this.#events.promise);
    this.#events = Promise.withResolvers();
    return response;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    this.open++;
    response.once("close", () => this.open--);
    let bytes = 0;
    request.on("data", (chunk: Uint8Array) => bytes += chunk.length);
    await once(request, "end").catch(() => {});
    const { trailers } = request;
    this.requests.push({ method, url, headers, trailers, bytes });
    const path = url.split("?")[0];
    if (path === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      this.#events.resolve(response);
    } else if (path.startsWith("/download/")) {
      await download(response, Number(path.split("/")[2]));
    } else if (path === "/range") {
      ranged(response, headers.range);
    } else if (path === "/early") {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      response.end("late\n");
    } else if (path === "/trailers") {
      response.writeHead(200, { trailer: "x-bytes, x-seen" });
      response.write("with ");
      const seen = trailers["x-end"] ?? "none";
      response.addTrailers({ "x-bytes": String(bytes), "x-seen": String(seen) });
      response.end("trailers\n");
    } else if (path === "/chunked") {
      for (const word of ["one ", "two ", "three\n"]) response.write(word);
      response.end();
    } else {
      const text = `${method} of ${bytes} bytes\n`;
      response.writeHead(200, { "content-length": text.length, etag: '"1"' });
      response.end(method === "HEAD" ? undefined : text);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** A client that goes away ends it. */
async function download(response: ServerResponse, length: number): Promise<void> {
  response.writeHead(200, { "content-length": length });
  await pipeline(Readable.from(chunks(length)), response).catch(() => {});
}

function* chunks(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, left);
}

/** RFC 9110 §14.2: one range of bytes, or the whole. */
function ranged(response: ServerResponse, range: string | undefined): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  if (first === undefined) return void response.end(RANGED);
  const part = RANGED.subarray(Number(first), Number(last) + 1);
  const contentRange = `bytes ${first}-${last}/${RANGED.length}`;
  response.writeHead(206, { "content-range": contentRange, "content-length": part.length });
  response.end(part);
}
