import { envFlag } from "./flags.ts";
import { duration, size } from "./kinds.ts";

/** What a gateway and an agent have both, in the order of the help. */
export const endFlags = {
  windowBytes: envFlag({
    name: "window",
    kind: size({ min: 16 * 1024, max: 64 * 1024 * 1024 }),
    default: "256KiB",
    meaning: "what may be under way on one connection that its reader has not taken",
  }),
  drainMs: envFlag({
    name: "drain",
    kind: duration({ min: 0 }),
    default: "10s",
    meaning:
      "time for the connections to end after SIGTERM or SIGINT; a second signal ends all at once",
  }),
} as const;
