// What goes wrong between the page and the server, as an error that says what to do.
import type { components } from './schema';

export type ServerProblem = components['schemas']['Problem'];
/** The server's codes, and the interface's own. `unreachable`: there was no answer at all; `outdated`: the server has another interface
 * by now, and the page has to be loaded anew. */
export type ProblemCode = ServerProblem['code'] | 'unreachable' | 'outdated';

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  constructor(
    readonly code: ProblemCode,
    readonly status: number,
    /** What failed and why, in a sentence. */
    readonly detail: string,
    /** What to do about it. */
    readonly help: string | undefined = undefined,
    /** The field that is at fault, as a JSON Pointer (`/name`). */
    readonly pointer: string | undefined = undefined,
    /** Facts, by code. */
    readonly data: unknown = undefined,
    /** File, line and column, where a script is at fault. */
    readonly site: ServerProblem['site'] = undefined,
    /** The request's id, for the server's log. */
    readonly request: string | undefined = undefined,
    /** Seconds after which it may be tried again. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    super(detail);
  }

  /** Whether the server has surely not done it. Without an answer, or with a proxy's, it may have: what is sent again then has the
   * same idempotency key. */
  get refused(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429;
  }

  /** For the field's own error text: the detail when `pointer` names this field. */
  at(pointer: string): string | undefined {
    return this.pointer === pointer ? this.detail : undefined;
  }
}

/** The problem that an answer tells, whatever it looks like. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const retryAfter = Number(response.headers.get('retry-after')) || undefined;
  const request = response.headers.get('x-request-id') ?? undefined;
  if (response.headers.get('content-type')?.includes('json')) {
    const body = (await response.json().catch(() => null)) as Partial<ServerProblem> | null;
    if (body?.code && body.detail) {
      const pointer = typeof body.pointer === 'string' ? body.pointer : undefined;
      return new ApiProblem(
        body.code, response.status, body.detail, body.help, pointer, body.data, body.site, body.request ?? request, retryAfter,
      );
    }
  }
  const code: ProblemCode = response.status >= 502 && response.status <= 504 ? 'unavailable' : 'internal';
  const detail = `The server answered ${response.status} without saying why.`;
  return new ApiProblem(code, response.status, detail, 'Try again; a proxy may be in between.', undefined, undefined, undefined, request, retryAfter);
}

/** There was no answer. */
export function unreachable(): ApiProblem {
  return new ApiProblem('unreachable', 0, 'The server can’t be reached.', 'Check that it runs and that you are connected, then try again.');
}

/** Any thrown thing as a problem, so that pages show one form only. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiProblem('internal', 0, detail, 'This is a mistake in the interface. Reload the page; if it stays, report it.');
}
