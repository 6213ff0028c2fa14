// Answers of a `fetch` handler whose content comes some day: events, and what is made meanwhile.
import assert from "node:assert/strict";
import type { FetchHandler } from "../../src/server/fetch.ts";
import { RawH2 } from "../support/raw_h2.ts";
import { RawClient } from "../support/raw_h3.ts";
import { within } from "../support/within.ts";
import { type TestServer, withServer } from "./support.ts";

const GET = [
  ...[[":method", "GET"], [":scheme", "https"], [":authority", "a"], [":path", "/"]] as const,
];

/** The status of an answer, as soon as its head is there; and what ends the client. */
const HEAD: Record<string, (t: TestServer) => Promise<[number | null, () => unknown]>> = {
  async h1({ plainPort }) {
    const response = await fetch(`http://127.0.0.1:${plainPort}/`);
    return [response.status, () => response.text()];
  },
  async h2({ port, caPem }) {
    const client = await RawH2.connect({ port, caCerts: [caPem] });
    const { status } = await client.head(client.request(GET));
    return [status, () => client.close()];
  },
  async h3({ port, caPem }) {
    const client = await RawClient.connect({ port, caCerts: [caPem] });
    const { status } = await (await client.request(GET)).response();
    return [status, () => {
      client.close();
      return client.quic.closed;
    }];
  },
};

for (const [door, ask] of Object.entries(HEAD)) {
  Deno.test(`fetch: ${door}: the head of a streamed answer does not wait for its content`, async () => {
    const told = Promise.withResolvers<void>();
    const fetch: FetchHandler = () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            await told.promise;
            controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
            controller.close();
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    await withServer({ fetch }, null, async (t) => {
      try {
        const [status, close] = await within("the head", ask(t), 5_000);
        assert.equal(status, 200);
        told.resolve();
        await close();
      } finally {
        told.resolve();
      }
    });
  });

  Deno.test(`fetch: ${door}: content that fails at once is still a 500`, async () => {
    const fetch: FetchHandler = () =>
      new Response(
        new ReadableStream({
          pull() {
            throw new Error("no content");
          },
        }),
      );
    await withServer({ fetch }, null, async (t) => {
      const [status, close] = await ask(t);
      assert.equal(status, 500);
      await close();
      assert.equal(t.errors().length, 1);
    });
  });
}
