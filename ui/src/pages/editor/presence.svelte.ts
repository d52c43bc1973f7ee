// Who else has the same script open: said to the server now and then, which tells it to the others.
import { api, onceKey, type Schema } from '$lib/api';
import { plural } from '$lib/format';

const EVERY = 8_000;

export class Presence {
  others = $state.raw<Schema<'Editor'>[]>([]);
  #seat = onceKey();

  /** Says that one is here until the function that it answers is called. */
  begin(name: string, changed: () => boolean): () => void {
    const say = (leaving = false) =>
      api.post('/workflows/{name}/editors', { path: { name }, body: { seat: this.#seat, changed: changed(), leaving }, keepalive: leaving }).then(
        (answer) => leaving || (this.others = answer.others),
        // Others can't be told of: that is no reason to disturb anybody.
        () => {},
      );
    void say();
    // Who doesn't look at the page doesn't use it: their session may end.
    const timer = setInterval(() => void (document.hidden || say()), EVERY);
    const leave = () => void say(true);
    addEventListener('pagehide', leave);
    return () => {
      clearInterval(timer);
      removeEventListener('pagehide', leave);
      leave();
    };
  }
}

/** `ada and you in another window have this script open, too, with changes that aren’t saved.` Null: nobody. */
export function inWords(others: readonly { by: string; changed: boolean }[], me: string | undefined): { who: string; rest: string } | null {
  const people = [...new Set(others.filter((one) => one.by !== me).map((one) => one.by))];
  const own = others.some((one) => one.by === me);
  const names = people.length > 3 ? [...people.slice(0, 2), plural(people.length - 2, 'other')] : people;
  const all = own ? [...names, 'you in another window'] : names;
  if (!all.length) return null;
  const who = all.length === 1 ? all[0]! : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
  const verb = all.length === 1 && people.length === 1 ? 'has' : 'have';
  return { who: own && all.length === 1 ? 'You' : who, rest: `${verb} this script open${own && all.length === 1 ? ' in another window' : ''}, too${others.some((one) => one.changed) ? ', with changes that aren’t saved' : ''}.` };
}
