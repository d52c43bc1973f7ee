// The look of the organisation that one sees: its title and logo in the frame, its colours on the page.
import { untrack } from 'svelte';
import { api, type Schema } from '$lib/api';
import { preferences } from '$lib/preferences.svelte';
import { tokens, type Scheme } from './colours';

export type Look = Schema<'Look'>;

/** Pictures that are shown: those that are in the look itself. Nothing is fetched from elsewhere. */
export const picture = (logo: string | null | undefined) => (/^data:image\/(png|jpeg|webp);base64,/.test(logo ?? '') ? logo! : undefined);

const dark = matchMedia('(prefers-color-scheme: dark)');

class Theme {
  /** What is shown; null: Windlass's own. */
  look = $state.raw<Look | null>(null);
  #systemDark = $state(dark.matches);
  #of: string | null = null;
  /** Public pages that are in sight, the last one on top: their look goes before the session's. */
  #given = $state.raw<Look[]>([]);

  constructor() {
    dark.addEventListener('change', (event) => (this.#systemDark = event.matches));
  }

  get shown(): Look | null {
    const look = this.#given.at(-1) ?? this.look;
    return look?.branded ? look : null;
  }
  get title(): string {
    return this.shown?.title || 'Windlass';
  }
  get logo(): string | undefined {
    return picture(this.shown?.logo);
  }
  get scheme(): Scheme {
    return preferences.theme === 'system' ? (this.#systemDark ? 'dark' : 'light') : preferences.theme;
  }

  /** A page's own look while it is there. */
  give(look: Look): () => void {
    // Effects give it: they don't follow what else is given.
    untrack(() => (this.#given = [...this.#given, look]));
    return () => untrack(() => (this.#given = this.#given.filter((one) => one !== look)));
  }

  /** Paints; to be called once, where effects are. */
  paint() {
    $effect(() => {
      const style = document.documentElement.style;
      const painted = Object.entries(tokens(this.shown?.colours ?? {}, this.scheme));
      for (const [name, value] of painted) style.setProperty(name, value);
      return () => painted.forEach(([name]) => style.removeProperty(name));
    });
  }

  /** Asks how the organisation of whoever is logged in looks. */
  async follow(organisation: string | null, signal?: AbortSignal) {
    this.#of = organisation;
    if (!organisation) {
      this.look = null;
      return;
    }
    try {
      this.look = (await api.get('/organisations/{name}/look', { path: { name: organisation }, signal })) ?? null;
    } catch {
      // Without it everything works, in Windlass's own colours.
      if (!signal?.aborted) this.look = null;
    }
  }

  /** It may look otherwise by now. */
  again() {
    return this.follow(this.#of);
  }
}

export const theme = new Theme();
