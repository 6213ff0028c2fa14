/**
 * Makes a class as Web IDL has an interface: its members can be enumerated, and its constants are on
 * the constructor and on the prototype, and stay as they are. `tag` is what it says it is.
 */
export function asWebIdl(
  constructor: { prototype: object },
  tag: string,
  constants: Readonly<Record<string, number>>,
): void {
  const { prototype } = constructor;
  for (const [name, member] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (name === "constructor") continue;
    Object.defineProperty(prototype, name, { ...member, enumerable: true });
  }
  for (const [name, value] of Object.entries(constants)) {
    const constant = { value, enumerable: true, writable: false, configurable: false };
    Object.defineProperty(constructor, name, constant);
    Object.defineProperty(prototype, name, constant);
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: tag, configurable: true });
}
