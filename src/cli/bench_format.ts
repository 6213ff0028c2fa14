/** A time in microseconds, with three digits or so: 0.21 ms, 34.5 ms, 1.20 s. */
export function time(us: number): string {
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  return `${(us / 1000).toFixed(us < 10_000 ? 2 : us < 100_000 ? 1 : 0)} ms`;
}

/** A whole number, with commas. */
export function whole(count: number): string {
  return Math.round(count).toLocaleString("en");
}

/** Bytes, or bytes a second, in powers of ten: 64 B, 1.2 kB, 3.4 MB. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let shown = count;
  while (shown >= 999.5 && unit < units.length - 1) {
    shown /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(shown) : shown.toFixed(1)} ${units[unit]}`;
}

/** Seconds of so many milliseconds: 4.5 s. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Such as: 1 socket, 2 sockets. */
export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;
}
