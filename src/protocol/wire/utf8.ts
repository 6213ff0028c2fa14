const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text that a peer sent as UTF-8, a byte order mark included; `null` where it is malformed. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return strictUtf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
