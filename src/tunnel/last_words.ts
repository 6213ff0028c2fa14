import { readPast } from "../ingress/read_past.ts";
import type { ByteStream } from "../net/byte_stream.ts";
import { Deadline, type Sweeper } from "../net/sweeper.ts";

/** RFC 1928 §6: behind a failure the connection ends within 10 seconds. */
const LINGER_MS = 2_000;

/** An answer, FIN, and then what is still sent is read past: RST would take the answer away. */
export async function lastWords(
  stream: ByteStream,
  answer: Uint8Array | null,
  sweeper: Sweeper,
): Promise<void> {
  try {
    if (answer !== null) await stream.write(answer);
    await stream.closeWrite();
  } catch {
    // Nobody wanted to know.
    return;
  }
  const deadline = new Deadline(sweeper, LINGER_MS, () => stream.abort());
  await readPast(() => stream.read(), () => {});
  deadline.clear();
}

/** RFC 9110 §15.5.1: what is said by HTTP before there is a request. @param text in ASCII */
export function badRequest(text: string): Uint8Array {
  return new TextEncoder().encode(
    "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n" +
      `content-length: ${text.length + 1}\r\nconnection: close\r\n\r\n${text}\n`,
  );
}
