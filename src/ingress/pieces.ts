/** What small pieces that wait are gathered into. */
const BLOCK_BYTES = 4096;

/** Queues a copy. Small pieces share a block: each object costs more than a hundred bytes. */
export function keepPiece(queue: Uint8Array[], bytes: Uint8Array): void {
  const last = queue.at(-1);
  const used = last === undefined ? 0 : last.byteOffset + last.length;
  if (last !== undefined && used + bytes.length <= last.buffer.byteLength) {
    const joined = new Uint8Array(last.buffer, last.byteOffset, last.length + bytes.length);
    joined.set(bytes, last.length);
    queue[queue.length - 1] = joined;
  } else if (last === undefined || bytes.length >= BLOCK_BYTES) {
    queue.push(bytes.slice());
  } else {
    const block = new Uint8Array(BLOCK_BYTES);
    block.set(bytes);
    queue.push(block.subarray(0, bytes.length));
  }
}
