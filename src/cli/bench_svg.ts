/** Text as HTML and SVG have it, between tags and in quotes. */
export function escape(text: string): string {
  return text
    // deno-lint-ignore no-control-regex -- XML 1.0 §2.2: no character of a document
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

/** An axis: where a value stands on it, and which values are marked. */
export interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** From 0 up to `max`, or a little more, so that it ends at a round number. */
export function linearScale(max: number, [from, to]: readonly [number, number]): Scale {
  const step = roundStep((max > 0 ? max : 1) / 4);
  const count = Math.max(1, Math.ceil((max > 0 ? max : 1) / step - 1e-9));
  const end = step * count;
  return {
    at: (value) => from + value / end * (to - from),
    ticks: Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12))),
  };
}

/** From 0 to `max` and no further, marked at round numbers. */
export function spanScale(max: number, [from, to]: readonly [number, number]): Scale {
  const step = roundStep(max / 8);
  return {
    at: (value) => from + value / max * (to - from),
    ticks: Array.from(
      { length: Math.floor(max / step + 1e-9) + 1 },
      (_, i) => Number((i * step).toPrecision(12)),
    ),
  };
}

function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const round = [1, 2, 5, 10].find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10;
  return round * power;
}

/** From at most `min` to at least `max`, both above 0, by powers of ten. */
export function logScale(min: number, max: number, [from, to]: readonly [number, number]): Scale {
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const factor of [1, 2, 5]) marks.push(Number((factor * 10 ** power).toPrecision(1)));
  }
  const low = marks.findLast((mark) => mark <= min) ?? marks[0];
  const high = marks.find((mark) => mark >= max && mark > low) ?? marks[marks.length - 1];
  const range = Math.log10(high / low);
  const shown = marks.filter((mark) => mark >= low && mark <= high);
  const decades = shown.filter((mark) =>
    Number.isInteger(Math.round(Math.log10(mark) * 1e9) / 1e9)
  );
  return {
    at: (value) => from + Math.log10(Math.max(value, low) / low) / range * (to - from),
    // More than this many can't be told apart.
    ticks: shown.length <= 8 || decades.length < 2 ? shown : decades,
  };
}

/** The sizes of all charts, in units of their viewBox. */
export const WIDTH = 720;
export const HEIGHT = 260;
const LEFT = 78;
const RIGHT = 28;
const TOP = 12;
const BOTTOM = 40;

/** Where values are drawn. */
export const X_RANGE: readonly [number, number] = [LEFT, WIDTH - RIGHT];
export const Y_RANGE: readonly [number, number] = [HEIGHT - BOTTOM, TOP];

/** A number of an SVG, as short as it can be. */
export function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** One axis with its words. */
export interface Axis {
  readonly scale: Scale;
  readonly title: string;
  label(value: number): string;
}

/** A chart: what is drawn, within its axes. */
export interface Chart {
  /** Says what is to be seen, for who does not see it. */
  readonly summary: string;
  readonly x: Axis;
  readonly y: Axis;
  /** SVG. */
  readonly marks: string;
}

export function chartSvg({ summary, x, y, marks }: Chart): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(summary)}">` +
    yAxis(y) + xAxis(x) + marks + "</svg>";
}

function yAxis({ scale, title, label }: Axis): string {
  const [left, right] = X_RANGE;
  const ticks = scale.ticks.map((value) => {
    const at = n(scale.at(value));
    return `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>` +
      `<text x="${left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">` +
      `${escape(label(value))}</text>`;
  });
  const middle = (Y_RANGE[0] + Y_RANGE[1]) / 2;
  return ticks.join("") +
    `<text transform="translate(12 ${n(middle)}) rotate(-90)" text-anchor="middle">` +
    `${escape(title)}</text>`;
}

function xAxis({ scale, title, label }: Axis): string {
  const [bottom] = Y_RANGE;
  const [left, right] = X_RANGE;
  const ticks = scale.ticks.filter((value) => scale.at(value) <= right + 0.5).map((value) =>
    `<text x="${n(scale.at(value))}" y="${bottom + 16}" text-anchor="middle">` +
    `${escape(label(value))}</text>`
  );
  return `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>` +
    ticks.join("") +
    `<text x="${n((left + right) / 2)}" y="${bottom + 33}" text-anchor="middle">` +
    `${escape(title)}</text>`;
}

/** One point of a line; `null` leaves a gap. */
export type Point = readonly [x: number, y: number] | null;

/** A line through all points, of one of the page's colours. */
export function lineOf(points: readonly Point[], colour: string): string {
  let path = "";
  let isDown = false;
  const alone: string[] = [];
  points.forEach((point, i) => {
    if (point === null) return void (isDown = false);
    path += `${isDown ? "L" : "M"}${n(point[0])} ${n(point[1])}`;
    // A line of one point is not seen.
    if (!isDown && (points[i + 1] ?? null) === null) {
      alone.push(`<circle class="${colour}-fill" cx="${n(point[0])}" cy="${n(point[1])}" r="2"/>`);
    }
    isDown = true;
  });
  return `<path class="line ${colour}" d="${path}"/>${alone.join("")}`;
}

/** A bar that tells by `title` what it is. */
export function barOf(
  { x, width, y, colour, title }: {
    x: number;
    width: number;
    y: number;
    colour: string;
    title: string;
  },
): string {
  const [bottom] = Y_RANGE;
  return `<rect class="${colour}-fill" x="${n(x)}" width="${n(Math.max(0.5, width))}" y="${
    n(y)
  }" ` +
    `height="${n(bottom - y)}"><title>${escape(title)}</title></rect>`;
}

/** An unseen strip from top to bottom that tells by `title` what is in it. */
export function stripOf(x: number, width: number, title: string): string {
  const [bottom, top] = Y_RANGE;
  return `<rect class="strip" x="${n(x)}" width="${n(Math.max(0.5, width))}" y="${top}" ` +
    `height="${bottom - top}"><title>${escape(title)}</title></rect>`;
}
