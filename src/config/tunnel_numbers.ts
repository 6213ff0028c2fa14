import { checkNumbers, timerMs } from "../net/numbers.ts";

const MIB = 1024 * 1024;

/** What the flags of the same names take. */
const LEAST: Readonly<Record<string, number>> = {
  ...{ windowBytes: 16 * 1024, heartbeatMs: 1_000, replicas: 1, maxConnections: 1 },
  ...{ maxStreams: 1, maxStreamsPerAgent: 1, maxDelayMs: 500 },
};
const MOST: Readonly<Record<string, number>> = {
  ...{ windowBytes: 64 * MIB, replicas: 64, maxStreams: 65_536, maxStreamsPerAgent: 65_536 },
};

/**
 * The numbers of a program's options, as both ends of a tunnel take them: what is above all limits,
 * as `Infinity` is, is the most that there is.
 *
 * @throws {TypeError} for a number that is none, or too small
 */
export function tunnelNumbers(options: object): Record<string, number> {
  checkNumbers(options);
  const numbers = Object.entries(options).filter(([, value]) => typeof value === "number");
  return Object.fromEntries(numbers.map(([name, value]: [string, number]) => {
    const least = LEAST[name] ?? 0;
    if (value < least) throw new TypeError(`${name}: ${value} is less than ${least}`);
    return [name, name.endsWith("Ms") ? timerMs(value) : Math.min(value, MOST[name] ?? value)];
  }));
}
