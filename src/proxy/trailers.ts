import type { Content } from "../ingress/offer.ts";
import type { Field } from "../protocol/wire/field.ts";

/** The same content with what `pass` makes of its trailer fields. */
export function withTrailers(
  content: Content,
  pass: (trailers: readonly Field[]) => Field[],
): Content {
  return {
    length: content.length,
    get trailers() {
      return pass(content.trailers);
    },
    read: () => content.read(),
    cancel: () => content.cancel(),
  };
}
