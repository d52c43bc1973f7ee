// Whether the server is ready, check by check. It isn't under /api/v1, and answers 503 with the same body when something doesn't hold.
import type { Schema } from './api';
import { again } from './again';

/** Null: it can't be asked. */
export function readiness(signal: AbortSignal): Promise<Schema<'Readiness'> | null> {
  return again(async () => (await (await fetch('/readyz', { signal })).json()) as Schema<'Readiness'>, { signal }).catch(() => null);
}
