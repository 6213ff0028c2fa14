const KIB = 1024;

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kib: KIB,
  mib: KIB ** 2,
  gib: KIB ** 3,
};

const SIZE = /^(\d+(?:\.\d+)?)(b|kib|mib|gib)?$/i;

/**
 * Bytes: `65536`, `64KiB`, `1.5MiB`, `1GiB`, in any case. KB and MB are refused, for they mean
 * 1000 to some and 1024 to others. `undefined` if it is no size or not a whole number of bytes.
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (match === null) return undefined;
  return whole(Number(match[1]) * SIZE_UNITS[(match[2] ?? "").toLowerCase()]);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const PART = String.raw`(\d+(?:\.\d+)?)`;
const DURATION = new RegExp(`^(?:${PART}h)?(?:${PART}m)?(?:${PART}s)?(?:${PART}ms)?$`);

/**
 * Milliseconds: `120s`, `1m30s`, `500ms`, `1.5h`, `0`. Any other number needs a unit, as in Go.
 * `undefined` if it is no duration or not a whole number of milliseconds.
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  const match = DURATION.exec(text);
  if (match === null || text === "") return undefined;
  const [hours, minutes, seconds, millis] = match.slice(1).map((part) => Number(part ?? 0));
  return whole(hours * HOUR + minutes * MINUTE + seconds * SECOND + millis);
}

/** A whole number from `0` up, in digits alone; `undefined` if it is none. */
export function parseCount(text: string): number | undefined {
  return /^\d+$/.test(text) ? whole(Number(text)) : undefined;
}

// 1.1 * 1000 is 1100.0000000000002: that is whole.
function whole(value: number): number | undefined {
  const rounded = Math.round(value);
  if (Math.abs(value - rounded) > 1e-6 || !Number.isSafeInteger(rounded)) return undefined;
  return rounded;
}

/** The shortest text that `parseSize` reads back as so many bytes. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [["GiB", KIB ** 3], ["MiB", KIB ** 2], ["KiB", KIB]] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}

/** A text that `parseDuration` reads back as so many milliseconds. */
export function formatDuration(ms: number): string {
  let text = "";
  let rest = ms;
  for (const [unit, size] of [["h", HOUR], ["m", MINUTE], ["s", SECOND], ["ms", 1]] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === "" ? "0" : text;
}
