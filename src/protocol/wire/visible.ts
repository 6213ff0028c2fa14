/**
 * What a terminal obeys, or shows as nothing, as another order of what is beside it or as an end of
 * the line. Not the joiners and variation selectors within emoji and words of many scripts.
 */
const UNSEEN =
  /[[\p{Cc}\p{Cs}\p{DI}\u2028\u2029\ufff9-\ufffb]--[\t\u200c\u200d\u180b-\u180f\ufe00-\ufe0f]]/gv;

/** The text on one line, where anybody sees all that is in it: "a\u000ab". Tabs stay. */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** JSON of the same value as `JSON.stringify` makes, that a terminal shows and does not obey. */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).split("\n").map(visible).join("\n");
}

/** RFC 8259 §7: what is above U+FFFF is a pair. */
function escaped(character: string): string {
  let units = "";
  for (let i = 0; i < character.length; i++) {
    units += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  }
  return units;
}
