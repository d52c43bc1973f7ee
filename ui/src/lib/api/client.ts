// The API, typed by its OpenAPI document: `await api.get('/runs/{id}', { path: { id } })` answers a RunShown or throws an
// ApiProblem. Adds what sessions need (X-CSRF-Token), versions (`ifMatch`) and idempotency keys.
import { BEHIND_NAMES, type paths } from './schema';
import { again, unlessSilent, wasSilent, type Heard } from '../again';
import { ApiProblem, problemOf, unreachable } from './problem';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
/** Paths under /api/v1 that have this method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: P extends `/api/v1${infer Rest}` ? (paths[P][M] extends object ? Rest : never) : never;
}[keyof paths];
type Operation<P extends string, M extends Method> = `/api/v1${P}` extends keyof paths ? NonNullable<paths[`/api/v1${P}`][M]> : never;

type Member<T, K extends string> = T extends { [key in K]: infer V } ? V : T extends { [key in K]?: infer V } ? V : undefined;
type InPath<O> = Member<Member<O, 'parameters'>, 'path'>;
type InQuery<O> = Member<Member<O, 'parameters'>, 'query'>;
type Json<T> = T extends { content: { 'application/json': infer B } } ? B : undefined;
/** What is sent with an operation. */
export type Body<P extends string, M extends Method> = Json<NonNullable<Member<Operation<P, M>, 'requestBody'>>>;
type Success<R> = R extends object ? Json<R[Extract<keyof R, 200 | 201 | 202>]> : undefined;
/** What an operation answers. */
export type Answer<P extends string, M extends Method = 'get'> = Success<Member<Operation<P, M>, 'responses'>>;

export interface Common {
  signal?: AbortSignal;
  /** Is sent even if the page is left, unless it is larger than what browsers send then. */
  keepalive?: boolean;
  /** The version that the change is meant for: somebody else's change in between is then refused (`precondition_failed`). */
  ifMatch?: number;
  /** `*`: only if there is nothing yet. */
  ifNoneMatch?: '*';
  /** The same key and the same body are done once, however often they are sent. */
  idempotencyKey?: string;
}
type Query = Record<string, string | number | boolean | null | undefined>;
type Options<P extends string, M extends Method> = Common &
  (InPath<Operation<P, M>> extends object ? { path: InPath<Operation<P, M>> } : { path?: undefined }) & {
    /** Beyond what the document names, `GET /runs` takes `input.<field>`. */
    query?: (NonNullable<InQuery<Operation<P, M>>> extends object ? NonNullable<InQuery<Operation<P, M>>> : object) & Query;
  } & (Body<P, M> extends undefined ? { body?: undefined } : { body?: Body<P, M> });
type Given<P extends string, M extends Method> = object extends Options<P, M> ? [options?: Options<P, M>] : [options: Options<P, M>];

/** Options as the wire sees them. */
interface Plain extends Common {
  path?: Record<string, unknown>;
  query?: Query;
  body?: unknown;
}

let csrf: string | undefined;
/** Called with every answer that says that one isn't logged in. */
let onUnauthenticated: () => void = () => {};
/** Tells the session's word again after another tab has logged in; whether as the same person. */
let renew: () => Promise<boolean> = async () => false;

/** What the session gives the client. */
export function configure(session: { csrf?: string; requestMs?: number; onUnauthenticated?: () => void; renew?: () => Promise<boolean> }) {
  if ('csrf' in session) csrf = session.csrf;
  if (session.requestMs !== undefined) silence = session.requestMs + WAY;
  if (session.onUnauthenticated) onUnauthenticated = session.onUnauthenticated;
  if (session.renew) renew = session.renew;
}

/** A name that ends like what is read or done behind one is told from that by `%2F`. */
const ENDS_SO = new RegExp(`%2F(?=(?:${BEHIND_NAMES.join('|')})$)`);

/** The address of an operation, for links and downloads. Slashes in a parameter stay: workflows' names have them. */
export function address(path: string, parameters: Record<string, unknown> = {}, query: Query = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string, at: number) => {
    const text = encodeURIComponent(String(parameters[name]));
    const isLast = at + name.length + 2 === path.length;
    const kept = isLast ? text.search(ENDS_SO) : -1;
    return kept < 0 ? text.replaceAll('%2F', '/') : text.slice(0, kept).replaceAll('%2F', '/') + text.slice(kept);
  });
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return `/api/v1${filled}${search ? `?${search}` : ''}`;
}

/** Browsers refuse a request with `keepalive` that is larger, together with those that are still under way: 64 KiB, less some room. */
const KEEPALIVE_BYTES = 60_000;
const bytesOf = (body: string | Blob) => new Blob([body]).size;
/** Whether a request with this body is sent even if its page is gone. */
export const survivesLeaving = (body: unknown) => bytesOf(JSON.stringify(body)) <= KEEPALIVE_BYTES;

/** Milliseconds without a sign of an answer after which none will come: more than the server takes to say that it is too busy. */
let silence = 40_000;
/** What the way there and back takes of it. */
const WAY = 10_000;

/** What changes nothing is asked for again if no answer came. What does isn't: it may have been done. */
function surely<T>(method: Method, { signal }: Plain, act: (heard: Partial<Heard>) => Promise<T>): Promise<T> {
  if (method !== 'get') return act({ signal });
  const once = () =>
    unlessSilent(act, { silence, signal }).catch((error) => {
      throw wasSilent(error) ? unreachable() : error;
    });
  return again(once, { signal, lost: (error) => error instanceof ApiProblem && error.code === 'unreachable' });
}

/** Sends a request and answers the response if it went well; else throws the problem. Of one that reads, only that it is answered is
 * waited for, not the answer’s end: see `text`. */
export function send(method: Method, path: string, options: Plain = {}): Promise<Response> {
  return surely(method, options, ({ signal }) => sendOnce(method, path, { ...options, signal }));
}

async function sendOnce(method: Method, path: string, options: Plain, mayRenew = true): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' };
  // A file goes as it is.
  const file = options.body instanceof Blob ? options.body : undefined;
  if (options.body !== undefined) headers['content-type'] = file ? 'application/octet-stream' : 'application/json';
  if (options.ifMatch !== undefined) headers['if-match'] = `"${options.ifMatch}"`;
  if (options.ifNoneMatch) headers['if-none-match'] = options.ifNoneMatch;
  if (options.idempotencyKey) headers['idempotency-key'] = options.idempotencyKey;
  if (method !== 'get' && csrf) headers['x-csrf-token'] = csrf;
  const body = options.body === undefined ? undefined : (file ?? JSON.stringify(options.body));
  let response: Response;
  try {
    response = await fetch(address(path, options.path, options.query), {
      method: method.toUpperCase(),
      headers,
      body,
      credentials: 'same-origin',
      signal: options.signal,
      keepalive: options.keepalive && (body === undefined || bytesOf(body) <= KEEPALIVE_BYTES),
    });
  } catch (error) {
    throw aborted(error) ? error : unreachable();
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  const logsIn = method === 'post' && path === '/session';
  if (problem.code === 'unauthenticated' && !logsIn) onUnauthenticated();
  // Another tab has logged in since: the cookie is the new one, the word is still the old one.
  if (mayRenew && problem.code === 'permission_denied' && problem.detail.includes('X-CSRF-Token')) {
    if (await renew()) return sendOnce(method, path, options, false);
    const detail = 'Somebody else has logged in in another tab of this browser. Nothing was sent.';
    throw new ApiProblem(problem.code, problem.status, detail, 'Look whether you still want this, and do it again.');
  }
  throw problem;
}

function call(method: Method, path: string, options: Plain = {}): Promise<unknown> {
  return surely(method, options, async ({ signal, hear }) => read(await sendOnce(method, path, { ...options, signal }), hear));
}

/** What a file says, to its end. */
export function text(path: string, options: Plain = {}): Promise<string> {
  return surely('get', options, async ({ signal, hear }) => textOf(await sendOnce('get', path, { ...options, signal }), hear));
}

async function read(response: Response, hear?: () => void): Promise<unknown> {
  if (response.status === 204) return undefined;
  const text = await textOf(response, hear);
  return response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
}

/** Each piece of it is a sign of life. */
async function textOf(response: Response, hear = () => {}): Promise<string> {
  let text = '';
  const [reader, decoder] = [response.body?.getReader(), new TextDecoder()];
  try {
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      hear();
      text += decoder.decode(piece.value, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    // It broke off.
    throw aborted(error) ? error : unreachable();
  }
}

/** One function a method; paths are those of the document without /api/v1. */
export const api = {
  get: <P extends PathOf<'get'>>(path: P, ...[options]: Given<P, 'get'>) =>
    call('get', path, options as Plain) as Promise<Answer<P, 'get'>>,
  post: <P extends PathOf<'post'>>(path: P, ...[options]: Given<P, 'post'>) =>
    call('post', path, options as Plain) as Promise<Answer<P, 'post'>>,
  put: <P extends PathOf<'put'>>(path: P, ...[options]: Given<P, 'put'>) =>
    call('put', path, options as Plain) as Promise<Answer<P, 'put'>>,
  patch: <P extends PathOf<'patch'>>(path: P, ...[options]: Given<P, 'patch'>) =>
    call('patch', path, options as Plain) as Promise<Answer<P, 'patch'>>,
  delete: <P extends PathOf<'delete'>>(path: P, ...[options]: Given<P, 'delete'>) =>
    call('delete', path, options as Plain) as Promise<Answer<P, 'delete'>>,
};

/** Whether it is only that nobody waits for the answer any more. */
export const aborted = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

/** A key for a change that must happen once however often its button is pressed. */
export const onceKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;

export { ApiProblem };
