// What pages import to talk to the server.
import type { components } from './schema';

export { api, address, aborted, onceKey, send, survivesLeaving, text } from './client';
export type { Answer, Body, PathOf } from './client';
export { ApiProblem, asProblem } from './problem';
export type { ProblemCode } from './problem';
export { follow } from './stream';
export type { Following, StreamState } from './stream';
export { feed } from './feed.svelte';

/** Types of the document by name: `Schema<'RunView'>`. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];
export type RunEvent = Schema<'Event'>;
export type RunState = Schema<'RunView'>['state'];
export type Permission = Schema<'WhoAmI'>['permissions'][number];
