// What is typed into filters, a moment later and together: two fields within that moment are both kept.
import { router, type QueryChange } from '$lib/router.svelte';

export function gathered(apply: (change: QueryChange) => void, ms = 250): (change: QueryChange) => void {
  let pending: QueryChange = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (change) => {
    pending = { ...pending, ...change };
    const { path } = router;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const all = pending;
      pending = {};
      // Whoever has left the page meanwhile wants nothing of it any more.
      if (router.path === path) apply(all);
    }, ms);
  };
}
