import type { Loaded } from "./load.ts";
import type { TimesHistogram } from "./load_times.ts";

/** k6's trend, in milliseconds. */
interface Trend {
  avg: number;
  min: number;
  med: number;
  max: number;
  "p(90)": number;
  "p(95)": number;
  "p(99)": number;
  "p(99.9)": number;
  "p(99.99)": number;
}

/** k6's counter: all, and in a second. */
interface Counter {
  count: number;
  rate: number;
}

/** What `k6 run --summary-export` writes, as far as it is about WebSockets. */
export interface K6Summary {
  metrics: {
    ws_connecting: Trend;
    ws_session_duration: Trend;
    ws_ping: Trend;
    ws_sessions: Counter;
    ws_msgs_sent: Counter;
    ws_msgs_received: Counter;
    data_sent: Counter;
    data_received: Counter;
    /** No metric of k6's own: from when a message was due to its echo. */
    ws_round_trip: Trend;
    /** Nor this: all that went wrong. */
    ws_errors: Counter;
  };
}

/** The report with k6's names of metrics and of what they hold. */
export function k6Summary({ report, recorder }: Loaded): K6Summary {
  const { seconds, messages, sessions } = report;
  const counter = (count: number): Counter => ({
    count,
    rate: seconds === 0 ? 0 : count / seconds,
  });
  return {
    metrics: {
      ws_connecting: trend(recorder.opening),
      ws_session_duration: trend(recorder.session),
      ws_ping: trend(recorder.ping),
      ws_sessions: counter(sessions.opened),
      ws_msgs_sent: counter(messages.sent),
      ws_msgs_received: counter(messages.received),
      data_sent: counter(report.bytesSent),
      data_received: counter(report.bytesReceived),
      ws_round_trip: trend(recorder.latency),
      ws_errors: counter(report.errors),
    },
  };
}

/** k6 takes a percentile between two values for a value between them: --json has them as HDR does. */
function trend(histogram: TimesHistogram): Trend {
  const ms = (us: number) => us / 1000;
  const at = (percentile: number) => ms(histogram.between(percentile));
  const { mean, min, max } = histogram.times();
  return {
    ...{ avg: ms(mean), min: ms(min), med: at(50), max: ms(max) },
    ...{ "p(90)": at(90), "p(95)": at(95), "p(99)": at(99) },
    ...{ "p(99.9)": at(99.9), "p(99.99)": at(99.99) },
  };
}
