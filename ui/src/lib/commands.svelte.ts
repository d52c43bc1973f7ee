// What the command palette offers besides pages, workflows and runs: things to do on the page that is open.
import { untrack } from 'svelte';
import type { IconName } from '$lib/ui/Icon.svelte';

export interface Command {
  label: string;
  icon?: IconName;
  /** Other words that find it. */
  words?: string;
  run: () => void;
}

class Commands {
  all = $state.raw<Command[]>([]);

  /** In a component: `$effect(() => commands.add([{ label: 'Cancel this run', run }]))`. */
  add(commands: Command[]): () => void {
    // Whoever adds in an effect isn't to run again when others add.
    const before = untrack(() => this.all);
    this.all = [...before, ...commands];
    return () => (this.all = untrack(() => this.all).filter((one) => !commands.includes(one)));
  }
}

export const commands = new Commands();
