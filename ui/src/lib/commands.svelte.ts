// What the command palette offers besides pages, workflows and runs: things to do on the page that is open.
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
    this.all = [...this.all, ...commands];
    return () => (this.all = this.all.filter((one) => !commands.includes(one)));
  }
}

export const commands = new Commands();
