import { type Field, fieldSize } from "../wire/field.ts";

/**
 * RFC 9114 §4.2.2: the size in bytes of a section that is not encoded, with its pseudo-header
 * fields: what SETTINGS_MAX_FIELD_SECTION_SIZE limits.
 */
export function fieldSectionSize(section: readonly Field[]): number {
  let size = 0;
  for (const [name, value] of section) size += fieldSize(name, value);
  return size;
}
