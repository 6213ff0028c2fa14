import type { Field } from "../wire/field.ts";
import { HttpError, HttpStatus } from "./error.ts";
import type { HttpVersion } from "./framing.ts";
import { listMembers } from "./octets.ts";

/**
 * Whether the client waits for a 100 (Continue) before it sends the content, RFC 9110 §10.1.1. If
 * the request has no content, none need be sent. Throws `HttpError` 417 for any other expectation.
 */
export function expectsContinue(
  head: { readonly version: HttpVersion; readonly fields: readonly Field[] },
): boolean {
  let expected = false;
  for (const [name, value] of head.fields) {
    if (name !== "expect") continue;
    for (const member of listMembers(value)) {
      // RFC 9110 §10.1.1: anything but 100-continue may be answered with 417. What looks much like
      // it is how one hop is made to wait and the next is not.
      if (member.toLowerCase() !== "100-continue") {
        throw new HttpError(HttpStatus.EXPECTATION_FAILED, "Unknown expectation");
      }
      expected = true;
    }
  }
  // RFC 9110 §10.1.1: in an HTTP/1.0 request it MUST be ignored.
  return expected && head.version === "1.1";
}
