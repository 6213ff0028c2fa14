import { applicationSink, createLog, type Log, type LogOptions, silentLog } from "./log.ts";
import { consoleLog } from "../server/observer.ts";
import { type CountingObserver, createObserver } from "./observer.ts";
import { Registry } from "./registry.ts";

/** An observer that counts, and tells what it has counted. */
export interface MetricsObserver extends CountingObserver {
  /** The metrics as `/metrics` of `h3ws proxy` has them, in the text format of Prometheus. */
  metrics(): Promise<string>;
}

/** The observer of one proxy: it writes the log, and counts. Without a log it counts alone. */
export function createMetricsObserver(log: Log = silentLog): MetricsObserver {
  const registry = new Registry();
  return { ...createObserver({ registry, log }), metrics: () => registry.metrics() };
}

/** A log that hands its records to the LogTape that the application has configured for itself. */
export function createApplicationLog(options: LogOptions = {}): Log {
  return createLog(applicationSink, options);
}

/** A log of errors, on the console: one that nobody is told of would be lost. */
export const errorsAlone: Log = {
  ...silentLog,
  enabled: (level) => level === "error" || level === "fatal",
  error: (event, fields) => consoleLog.error(event, fields),
};
