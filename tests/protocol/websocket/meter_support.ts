// A meter under test, and what it told in a form that does not depend on how bytes were cut.

import assert from "node:assert/strict";
import {
  Meter,
  type MeterEvent,
  type MeterOptions,
} from "../../../src/protocol/websocket/meter.ts";
import { Traffic } from "../../../src/protocol/websocket/traffic.ts";
import { feed, toHex } from "./support.ts";

/** `pass <hex>`, `pong <hex> <payload>`, `close <hex> <code> <reason>`; passes are joined. */
export interface Metered {
  events: string[];
  fault: number | null;
  atEnd: boolean;
  /** What was counted: only what is not zero. */
  counts: Record<string, number>;
  atBoundary: boolean;
  inMessage: boolean;
  closed: boolean;
}

export function meterAll(chunks: Uint8Array[], options: Partial<MeterOptions>): Metered {
  const traffic = new Traffic();
  const meter = new Meter({
    masked: false,
    maxFrameBytes: 1 << 20,
    maxMessageBytes: 8 << 20,
    traffic,
    ...options,
  });
  const { events, fault, atEnd } = feed(meter, chunks, describe);
  const { atBoundary, inMessage, closed } = meter;
  assertSame(meter, traffic);
  const counts = countsOf(traffic);
  return { events: joinPasses(events), fault, atEnd, counts, atBoundary, inMessage, closed };
}

function describe(event: MeterEvent): string {
  switch (event.type) {
    case "pass":
      return `pass ${toHex(event.bytes)}`;
    case "pong":
      return `pong ${toHex(event.bytes)} ${toHex(event.payload)}`;
    case "close":
      return `close ${toHex(event.bytes)} ${event.code} ${event.reason}`;
  }
}

function joinPasses(events: string[]): string[] {
  const joined: string[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (event.startsWith("pass ") && last?.startsWith("pass ")) {
      joined[joined.length - 1] = last + event.slice(5);
    } else {
      joined.push(event);
    }
  }
  return joined;
}

function countsOf(traffic: Traffic): Record<string, number> {
  const { sizesText, sizesBinary, ...plain } = traffic;
  const counts: Record<string, number> = { ...plain };
  for (const [name, sizes] of Object.entries({ sizesText, sizesBinary })) {
    counts[name] = sizes.count;
    counts[`${name}Sum`] = sizes.sum;
    sizes.buckets.forEach((count, i) => counts[`${name}[${i}]`] = count);
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

/** With one session only, its own counts are those of the traffic. */
function assertSame(meter: Meter, traffic: Traffic): void {
  const { frameText, frameBinary, frameCont, framePing, framePong, frameClose } = traffic;
  const data = frameText + frameBinary + frameCont;
  assert.equal(meter.frames, data + framePing + framePong + frameClose);
  assert.equal(meter.messages, traffic.messagesText + traffic.messagesBinary);
  assert.equal(meter.bytes, traffic.bytes);
}
