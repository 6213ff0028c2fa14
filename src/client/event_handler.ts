/**
 * An event handler attribute, such as `onopen` (HTML §8.1.8.1): one listener, in the place among
 * all others that it got when it was set while there was none. What is no object is `null`; an
 * object that can't be called is kept, and does nothing.
 */
export class EventHandler<T extends EventTarget, E extends Event> {
  readonly #target: T;
  readonly #type: string;
  readonly #listener: (event: unknown) => void;
  #handler: ((this: T, event: E) => unknown) | null = null;

  constructor(target: T, type: string) {
    this.#target = target;
    this.#type = type;
    this.#listener = (event) => {
      if (typeof this.#handler !== "function") return;
      // HTML §8.1.8.1: a handler that returns `false` cancels what can be cancelled.
      const told = event as E;
      if (this.#handler.call(target, told) === false) told.preventDefault();
    };
  }

  get value(): ((this: T, event: E) => unknown) | null {
    return this.#handler;
  }

  set value(value: ((this: T, event: E) => unknown) | null) {
    const isObject = typeof value === "function" || typeof value === "object";
    const next = isObject ? value : null;
    if (next === null) this.#target.removeEventListener(this.#type, this.#listener);
    // To add what is there changes nothing.
    else this.#target.addEventListener(this.#type, this.#listener);
    this.#handler = next;
  }
}
