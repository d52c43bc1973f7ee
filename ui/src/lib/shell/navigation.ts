// What the navigation lists: the pages that somebody with one's rights can use.
import { session } from '$lib/session.svelte';
import { routes, type Route } from '../../routes';

export type Entry = Route & { nav: NonNullable<Route['nav']> };

export function entries(): Entry[] {
  return routes.filter((route): route is Entry => route.nav !== undefined && (!route.permission || session.can(route.permission)));
}

/** Other pages that the palette goes to. */
export function places(): (Route & { palette: NonNullable<Route['palette']> })[] {
  return routes.filter((route): route is Route & { palette: NonNullable<Route['palette']> } => route.palette !== undefined && (!route.permission || session.can(route.permission)));
}
