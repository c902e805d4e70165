/** A choice of this browser out of a few values, kept over reloads and shared between its pages. */
export function preference<Value extends string>(key: string, values: readonly Value[]) {
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const each of listeners) each();
  };
  const known = (found: string | null): Value | null => values.find((each) => each === found) ?? null;
  // A browser may refuse its storage: the choice then lasts as long as the page.
  let value: Value | null = null;
  try {
    value = known(localStorage.getItem(key));
  } catch {}
  window.addEventListener('storage', (event) => {
    if (event.key !== key) return;
    value = known(event.newValue);
    notify();
  });
  return {
    get: (): Value | null => value,
    /** Null: as the browser says. */
    set: (next: Value | null): void => {
      value = next;
      try {
        if (next === null) localStorage.removeItem(key);
        else localStorage.setItem(key, next);
      } catch {}
      notify();
    },
    subscribe: (listener: () => void): (() => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
