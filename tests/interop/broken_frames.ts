// Frames that break a rule of RFC 6455, from either side.

export interface BrokenFrame {
  /** The rule. */
  name: string;
  /** FIN, RSV and opcode. */
  first: number;
  payload: number[];
  /** With which the connection fails. */
  code: number;
}

export const BROKEN_FRAMES: readonly BrokenFrame[] = [
  { name: "§5.2: RSV1 without an extension", first: 0xc1, payload: [], code: 1002 },
  { name: "§5.2: a reserved opcode", first: 0x83, payload: [], code: 1002 },
  { name: "§5.2: a reserved control opcode", first: 0x8b, payload: [], code: 1002 },
  { name: "§5.4: a continuation of nothing", first: 0x80, payload: [0x61], code: 1002 },
  { name: "§5.5: a Ping in fragments", first: 0x09, payload: [], code: 1002 },
  { name: "§5.5.1: a Close of one byte", first: 0x88, payload: [0x03], code: 1002 },
  { name: "§7.4.1: a Close with 1005", first: 0x88, payload: [0x03, 0xed], code: 1002 },
  { name: "§8.1: a text that is no UTF-8", first: 0x81, payload: [0xc3, 0x28], code: 1007 },
];

/** Its bytes. The mask's key is zero: the payload stands there as it is. */
export function bytesOf({ first, payload }: BrokenFrame, masked: boolean): Uint8Array {
  const mask = masked ? [0, 0, 0, 0] : [];
  return new Uint8Array([first, payload.length | (masked ? 0x80 : 0), ...mask, ...payload]);
}
