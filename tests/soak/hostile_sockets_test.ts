// Thousands of hostile sockets over HTTP/2 and HTTP/3: half heads, ends at every stage, stalls. A good
// client notices nothing, and nothing of them is left.
import assert from "node:assert/strict";
import { connectWebSocket } from "../../src/client/connect.ts";
import { Connections } from "../../src/client/connections.ts";
import { FrameType } from "../../src/protocol/http2/frame.ts";
import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { fromClient } from "../support/frames.ts";
import { h2Data, h2Frame, h2Get, h2Reset, h2Ws } from "../support/h2_frames.ts";
import { RawH2 } from "../support/raw_h2.ts";
import { connectFields, dataFrame, headersFrame, RawClient } from "../support/raw_h3.ts";
import { within } from "../support/within.ts";
import type { HostileStats } from "./hostile_process.ts";
import { type ServerProcess, startServerProcess } from "./server_process.ts";

const SOCKETS = 3_000;
const PER_CONNECTION = 10;
const AT_ONCE = 10;
const MIB = 1024 * 1024;
const PATHS = ["/", "/pipe", "/stall", "/flood", "/throw", "/reject", "/"];

type Process = ServerProcess<HostileStats>;

/** What a socket says behind its head, right and wrong, before it ends in one way or another. */
const TAILS: readonly Uint8Array[] = [
  new Uint8Array(0),
  fromClient.text("hello"),
  fromClient.text("hello").subarray(0, 4),
  fromClient.close(1000),
  // Not masked; no deflate; a reserved opcode.
  Uint8Array.of(0x81, 0x02, 0x68, 0x69),
  Uint8Array.of(0xc1, 0x82, 0, 0, 0, 0, 0xff, 0xff),
  Uint8Array.of(0x83, 0x80, 0, 0, 0, 0),
  // 2^62 bytes are to come.
  concat([Uint8Array.of(0x82, 0xff, 0x40), new Uint8Array(11)]),
];
const DEFLATE: Field = ["sec-websocket-extensions", "permessage-deflate"];
const pathOf = (i: number) => PATHS[i % PATHS.length];
const tailOf = (i: number) => TAILS[i % TAILS.length];

/** A connection's worth of hostile sockets over HTTP/2. */
async function hostileH2({ port, plainPort, caPem }: Process, first: number): Promise<void> {
  const isTls = first % 3 === 0;
  const h2 = await RawH2.connect(
    isTls
      ? { port, caCerts: [caPem], opensWindows: false }
      : { port: plainPort, opensWindows: false },
  );
  for (let i = first; i < first + PER_CONNECTION - 1; i++) {
    const id = h2.nextId();
    if (i % 11 === 0) {
      // Content that does not come.
      h2.write(h2.headers(id, h2Get("/x", [["content-length", "100"]]), false), h2Data(id, "abc"));
    } else {
      h2.write(h2.headers(id, h2Ws(pathOf(i), [DEFLATE]), false));
      if (i % 3 !== 0) await h2.head(id);
      h2.write(h2Data(id, tailOf(i), i % 4 === 0));
    }
    // CANCEL
    if (i % 5 === 0) h2.write(h2Reset(id, 8));
  }
  // RFC 9113 §6.10: a head that is not whole: nothing else may come, and nothing does.
  const block = h2.block(h2Ws("/"));
  h2.write(h2Frame([FrameType.HEADERS], h2.nextId(), block.subarray(0, first % block.length)));
  await pauseAt(first);
  if (first % 4 === 0) h2.socket.end();
  else h2.socket.destroy();
}

/** The same over HTTP/3. */
async function hostileH3({ port, caPem }: Process, first: number): Promise<void> {
  const h3 = await RawClient.connect({ port, caCerts: [caPem] });
  for (let i = first; i < first + PER_CONNECTION; i++) {
    const stream = await h3.openStream();
    const head = headersFrame(
      connectFields({ path: pathOf(i) }, [["sec-websocket-version", "13"], DEFLATE]),
    );
    // The server may have ended it.
    const write = (bytes: Uint8Array) => stream.write(bytes).catch(() => {});
    if (i % 7 === 0) {
      // RFC 9114 §7.1: were it to end here, so would the connection.
      await write(head.subarray(0, i % head.length));
      continue;
    }
    await write(head);
    if (i % 3 !== 0) await stream.response().catch(() => {});
    await write(dataFrame(tailOf(i)));
    if (i % 5 === 0) stream.abort();
    else if (i % 4 === 0) await stream.fin().catch(() => {});
  }
  await pauseAt(first);
  h3.close();
}

/** Some stay for a while. */
function pauseAt(first: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, first % 100 === 0 ? 500 : 0));
}

async function churn(count: number, one: (first: number) => Promise<void>): Promise<void> {
  let next = 0;
  const some = async () => {
    for (let first = next; first < count; first = next) {
      next += PER_CONNECTION;
      await one(first);
    }
  };
  await within("the hostile sockets", Promise.all(Array.from({ length: AT_ONCE }, some)), 120_000);
}

/** A look makes the process collect its garbage: so there are few. */
async function allGone(process: Process, begun: HostileStats): Promise<HostileStats> {
  for (let looks = 1;; looks++) {
    const stats = await process.stats();
    const { sockets, running, connections } = stats;
    const isGone = sockets <= begun.sockets && running <= begun.running;
    if (isGone && connections <= begun.connections) return stats;
    assert.ok(looks < 100, JSON.stringify(stats));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

for (const [http, hostile] of [["2", hostileH2], ["3", hostileH3]] as const) {
  Deno.test(`soak: ${SOCKETS} hostile sockets over HTTP/${http}: no other socket notices, nothing is left`, async () => {
    await using process = await startServerProcess<HostileStats>("hostile_process.ts");
    using connections = new Connections();
    const options = { httpVersion: http, connections, caCerts: [process.caPem] };
    const good = await connectWebSocket(`wss://localhost:${process.port}/`, options);
    const begun = await process.stats();
    await churn(SOCKETS / 5, (first) => hostile(process, first));
    const warm = await allGone(process, begun);
    await churn(SOCKETS, (first) => hostile(process, first));
    await good.send("still here");
    assert.equal(await within("the echo", good.receive()), "still here");
    const stats = await allGone(process, begun);
    assert.ok(stats.opened > SOCKETS / 2, `${stats.opened} were opened`);
    assert.equal(stats.closed, stats.opened - stats.sockets);
    assert.ok(stats.descriptors <= warm.descriptors + 2, `${stats.descriptors} descriptors`);
    const grown = (stats.heapBytes - warm.heapBytes) / MIB;
    assert.ok(grown < 8, `${grown} MiB more`);
    await good.close();
  });
}
