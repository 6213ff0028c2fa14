/** Of what comes behind the end so much is read past. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Reads what nobody wants, to its end, or until it is too much or breaks. Never rejects. */
export async function readPast(
  read: () => Promise<Uint8Array | null>,
  came: () => void,
): Promise<void> {
  try {
    let left = MAX_BYTES;
    for (let chunk = await read(); chunk !== null; chunk = await read()) {
      came();
      left -= chunk.length;
      if (left < 0) return;
    }
  } catch {
    // It ends in any case.
  }
}
