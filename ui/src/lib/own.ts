// What a browser keeps for one person: others may use the same one.
import { session } from './session.svelte';
import { stored, type Stored } from './stored';

/** For whoever is logged in when it is called. */
export const own = <T>(name: string): Stored<T> => stored<T>(session.who ? `${name}.${session.who.user}` : name);
