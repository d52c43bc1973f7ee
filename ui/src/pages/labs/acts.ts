// What can be done with a lab that is open, whatever one does it with: the picture, the table, the keyboard, the palette.
import type { Schema } from '$lib/api';
import type { Link, Thing } from './scene';

export interface Acts {
  /** Opens a console of a node at the bottom. */
  console: (node: string, kind?: Schema<'NodeConsole'>) => void;
  /** Runs a workflow of the lab, and follows it. */
  run: (title: string, workflow: string, input: Record<string, unknown>) => Promise<void>;
  /** Pulls the cable of a link that is there, or plugs it in. */
  cut: (link: Link, state: 'up' | 'down') => Promise<void>;
  /** Listens at an end of a link. */
  capture: (link: Link) => void;
  /** Asks where a link from here is to lead. */
  connect: (from: Thing | null) => void;
  /** Asks what is to be added. */
  add: () => void;
}
