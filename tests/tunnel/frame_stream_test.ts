import assert from "node:assert/strict";
import { pipe } from "../../src/net/pipe.ts";
import { TunnelCode } from "../../src/protocol/tunnel/code.ts";
import type { Frame } from "../../src/protocol/tunnel/frame.ts";
import { FrameStream } from "../../src/tunnel/frame_stream.ts";
import { within } from "../support/within.ts";

const FRAMES: Frame[] = [
  { type: "fin", id: 1 },
  { type: "reset", id: 2, code: TunnelCode.CONNECTION_FAILED, message: "gone" },
  { type: "fin", id: 3 },
];

Deno.test("frame stream: many frames go in one write, and come one by one", async () => {
  const [ours, theirs] = pipe();
  let writes = 0;
  const here = new FrameStream({
    ...{ headroom: 0, read: () => ours.read(), closeWrite: () => ours.closeWrite() },
    write: (bytes) => {
      writes++;
      return ours.write(bytes);
    },
    abort: () => ours.abort(),
  });
  const there = new FrameStream(theirs);
  const sent = here.send(...FRAMES).then(() => ours.closeWrite());
  for (const frame of FRAMES) assert.deepEqual(await within("a frame", there.next()), frame);
  assert.equal(await within("the end", there.next()), null);
  await sent;
  assert.equal(writes, 1);
});
