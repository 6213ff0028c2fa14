import { namer } from "../wire/names.ts";

/** RFC 6455 §11.8: what a frame is. */
export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const;

export type Opcode = typeof Opcode[keyof typeof Opcode];

/** RFC 6455 §5.5: control frames are those whose opcode has its highest bit set. */
export function isControl(opcode: number): boolean {
  return opcode >= 0x8;
}

/** The RFC's name of an opcode, or its number in hex. */
export const opcodeName: (opcode: number) => string = namer(Opcode, "opcode ");
