import { concat } from "../../src/protocol/wire/bytes.ts";
import type { Field } from "../../src/protocol/wire/field.ts";
import { latin1 } from "./inbox.ts";

/** What came on one stream. */
export class SeenStream {
  /** Of each field section: interim answers, the answer, its trailers. */
  readonly sections: (readonly Field[])[] = [];
  readonly data: Uint8Array[] = [];
  /** Bytes of content up to now. */
  bytes = 0;
  /** Whether END_STREAM has come. */
  ended = false;
  /** The code of its RST_STREAM. */
  reset: number | null = null;

  /** Of the final answer; `null` without one. */
  get status(): number | null {
    const statuses = this.sections.map((section) => section.find(([name]) => name === ":status"));
    const last = statuses.filter((field) => field !== undefined && !field[1].startsWith("1")).at(0);
    return last === undefined ? null : Number(last[1]);
  }

  get(name: string): string | null {
    return this.sections.flat().find((field) => field[0] === name)?.[1] ?? null;
  }

  get body(): string {
    return latin1(concat(this.data));
  }

  get isOver(): boolean {
    return this.ended || this.reset !== null;
  }
}
