/** When messages are due, fixed before the first of them is sent. */
export interface Schedule {
  /** Over all sockets, once the ramp is over. */
  readonly ratePerSecond: number;
  /** How long the rate grows, evenly from nothing. */
  readonly rampMs: number;
}

/** Messages that are due while the rate grows: half of what the whole rate makes of the time. */
function inRamp({ ratePerSecond, rampMs }: Schedule): number {
  return ratePerSecond * rampMs / 2000;
}

/** When message `n`, counted from 0, is due: milliseconds after the start. */
export function dueAfterMs(n: number, schedule: Schedule): number {
  const { ratePerSecond, rampMs } = schedule;
  const ramped = inRamp(schedule);
  // So many have come after t: rate * t^2 / (2 * ramp).
  if (n < ramped) return Math.sqrt(2000 * n * rampMs / ratePerSecond);
  return rampMs + (n - ramped) * 1000 / ratePerSecond;
}

/** How many messages are due before `ms` after the start. */
export function dueBefore(ms: number, schedule: Schedule): number {
  if (ms <= 0) return 0;
  const { ratePerSecond, rampMs } = schedule;
  const come = ms < rampMs
    ? ratePerSecond * ms * ms / (2000 * rampMs)
    : inRamp(schedule) + (ms - rampMs) * ratePerSecond / 1000;
  // A message that is due at `ms` itself is not before it, whatever the rounding made of it.
  return Math.max(0, Math.ceil(come - 1e-9));
}
