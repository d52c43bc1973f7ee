// How a person likes it: colours and times. Kept in the browser.
import { stored } from './stored';

export type Theme = 'system' | 'light' | 'dark';
export type TimeMode = 'relative' | 'local' | 'utc';

const themeKept = stored<Theme>('theme');
const timeKept = stored<TimeMode>('time');

class Preferences {
  #theme = $state<Theme>(themeKept.read() ?? 'system');
  #time = $state<TimeMode>(timeKept.read() ?? 'relative');

  get theme() {
    return this.#theme;
  }
  set theme(theme: Theme) {
    this.#theme = theme;
    themeKept.write(theme);
    this.apply();
  }

  get time() {
    return this.#time;
  }
  set time(mode: TimeMode) {
    this.#time = mode;
    timeKept.write(mode);
  }

  apply() {
    if (this.#theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.#theme;
  }
}

export const preferences = new Preferences();
