// @peculiar/x509 makes its objects by tsyringe, which refuses to load without the decorators'
// metadata (the proposal that `reflect-metadata` implements). Their constructors take nothing from
// it, so that it is enough to keep what is defined.

interface Metadata {
  getMetadata(key: unknown, target: object): unknown;
  getOwnMetadata(key: unknown, target: object): unknown;
  defineMetadata(key: unknown, value: unknown, target: object): void;
}

const reflect = Reflect as typeof Reflect & Partial<Metadata>;

if (reflect.getMetadata === undefined) {
  const kept = new WeakMap<object, Map<unknown, unknown>>();
  const getOwnMetadata = (key: unknown, target: object) => kept.get(target)?.get(key);
  reflect.getOwnMetadata = getOwnMetadata;
  reflect.getMetadata = (key, target) => {
    for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
      if (kept.get(at)?.has(key)) return getOwnMetadata(key, at);
    }
    return undefined;
  };
  reflect.defineMetadata = (key, value, target) => {
    const own = kept.get(target) ?? new Map();
    kept.set(target, own.set(key, value));
  };
}
