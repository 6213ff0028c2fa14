// RFC 9114 §4.1: the frames of an answer, on their way to a client that may be slow.
import { NetError } from "../net/error.ts";
import type { QuicStream } from "../net/quic_stream.ts";
import { inTime, type Sweeper } from "../net/sweeper.ts";
import { encodeFrame, FrameType } from "../protocol/http3/frame.ts";
import { encodeFieldSection } from "../protocol/qpack/encoder.ts";
import type { Field } from "../protocol/wire/field.ts";
import type { Content } from "./offer.ts";

/** Where an answer goes, and how long that may take. */
export interface AnswerTarget {
  stream: QuicStream;
  /** How long the client may take nothing of its answer's content. */
  writeTimeoutMs: number;
  sweeper: Sweeper;
}

/** RFC 9114 §4.3: a pseudo-header in trailers is malformed, so the message is no longer whole. */
const BROKEN_TRAILERS: Field[] = [[":broken", "1"]];

/** A client has shut its window for too long. */
export class ClientTooSlow extends NetError {
  constructor() {
    super("timeout", "client reads too slowly");
  }
}

/** A field section as it goes on the stream. */
export function headersFrame(fields: readonly Field[]): Uint8Array {
  return encodeFrame(FrameType.HEADERS, encodeFieldSection(fields));
}

/** A part of the content as it goes on the stream. */
export function dataFrame(payload: Uint8Array): Uint8Array {
  return encodeFrame(FrameType.DATA, payload);
}

/** RFC 9110 §8.6: the length of a whole body, where nothing says it yet. */
export function lengthField(fields: readonly Field[], length: number): Field[] {
  if (fields.some(([name]) => name === "content-length")) return [];
  return [["content-length", String(length)]];
}

/** The content of an answer; where it breaks off, so does the answer. */
export async function writeContent(to: AnswerTarget, content: Content): Promise<void> {
  try {
    for (let part = await content.read(); part !== null; part = await content.read()) {
      await writeInTime(to, dataFrame(part));
    }
    const { trailers } = content;
    if (trailers.length > 0) await writeInTime(to, headersFrame(trailers));
  } catch (error) {
    content.cancel();
    if (error instanceof ClientTooSlow) throw error;
    // Without RESET_STREAM a body that breaks off would look whole.
    await writeInTime(to, headersFrame(BROKEN_TRAILERS));
    throw error;
  }
}

/** Reads no more; the end goes out if the client ever takes what is before it. Never rejects. */
export async function breakOffLater(stream: QuicStream): Promise<void> {
  stream.stopReading();
  try {
    await stream.write(headersFrame(BROKEN_TRAILERS));
    await stream.closeWrite();
  } catch {
    // The connection is gone.
  }
}

/** Rejects when the client takes nothing for too long, as RFC 9114 §10.5 allows. */
export function writeInTime(
  { stream, sweeper, writeTimeoutMs }: AnswerTarget,
  bytes: Uint8Array,
): Promise<void> {
  const late = () => {
    throw new ClientTooSlow();
  };
  return inTime(stream.write(bytes), { sweeper, afterMs: writeTimeoutMs, late });
}
