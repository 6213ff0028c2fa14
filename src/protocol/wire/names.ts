/** Makes what gives the name that a value has in `table`, or else `prefix` and the value in hex. */
export function namer(
  table: Readonly<Record<string, number>>,
  prefix = "",
): (value: number) => string {
  const names = new Map(Object.entries(table).map(([name, value]) => [value, name]));
  return (value) => names.get(value) ?? `${prefix}0x${value.toString(16)}`;
}
