// What a browser keeps for a person, where it may keep anything at all. One prefix, JSON, never a secret.

export interface Stored<T> {
  read(): T | null;
  write(value: T | null): void;
}

export function stored<T>(name: string): Stored<T> {
  const key = `windlass.${name}`;
  return {
    read() {
      try {
        const text = localStorage.getItem(key);
        return text === null ? null : (JSON.parse(text) as T);
      } catch {
        return null;
      }
    },
    write(value) {
      try {
        if (value === null) localStorage.removeItem(key);
        else localStorage.setItem(key, JSON.stringify(value));
      } catch {
        // Full, or forbidden: it is remembered until the page is left.
      }
    },
  };
}
