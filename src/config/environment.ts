import type { Environment } from "./flags.ts";
import { allowedMistakes, nearestOf } from "./nearest.ts";

/** What the names of all our variables begin with. */
const PREFIX = "H3WS_";

/** Variables that begin as ours do, in order. */
export function variablesLikeOurs(env: Environment): string[] {
  return Object.keys(env).filter((name) => name.toUpperCase().startsWith(PREFIX)).sort();
}

/**
 * One line for each variable that is none of ours, but nearly has the name of one: it would be
 * ignored. Others that begin like ours may be anyone's: Kubernetes sets `H3WS_PORT` for a service
 * of that name. Values are not shown.
 */
export function misspeltVariables(env: Environment, known: readonly string[]): string[] {
  return variablesLikeOurs(env)
    .flatMap((name) => {
      const allowed = allowedMistakes(name.length - PREFIX.length);
      const nearest = known.includes(name) ? undefined : nearestOf(
        name.toUpperCase(),
        // Of a short name, letters in front of it make another one: H3WS_HAPROXY is not H3WS_PROXY.
        known.filter((one) =>
          name.length - one.length <= allowedMistakes(one.length - PREFIX.length)
        ),
        { allowed },
      );
      return nearest === undefined ? [] : `${name}: is not known; did you mean ${nearest}?`;
    });
}
