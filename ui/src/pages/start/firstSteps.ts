// What somebody new should have done once: worked out from what is there, so that the list goes by itself.
import type { Schema } from '$lib/api';
import type { IconName } from '$lib/ui';

export interface Known {
  /** What they may do. */
  can: (permission: 'read' | 'launch' | 'edit' | 'manage' | 'administer') => boolean;
  workflows: readonly Schema<'WorkflowInShort'>[];
  /** The newest run that they see, whoever launched it. */
  lastRun: Schema<'RunView'> | undefined;
  /** Whether they have launched the tour themselves; where there is none, anything. */
  launched: boolean;
  tokens: readonly Schema<'TokenView'>[];
  totp: boolean;
  /** Whether the log of changes says that they have changed their password. */
  passwordChanged: boolean;
  /** Things that leave no trace at the server: ticked off in this browser. */
  ticked: ReadonlySet<string>;
}

export interface FirstStep {
  id: string;
  title: string;
  text: string;
  href: string;
  icon: IconName;
  done: boolean;
}

const TOUR = 'lab/tour';

/** The workflow that somebody new launches first, if it is there and sound. */
export const tourOf = (workflows: Known['workflows']) => workflows.find((one) => one.name === TOUR && one.sound);

export function firstSteps(known: Known): FirstStep[] {
  const { can, workflows, lastRun, launched, tokens, totp, ticked } = known;
  const tour = tourOf(workflows);
  const edited = workflows.some((one) => (one.version ?? 0) > 1);
  const steps: (FirstStep | false)[] = [
    {
      id: 'password', title: 'Change your password', text: 'The one you have was made by the server, or by somebody else.',
      href: '/account', icon: 'lock', done: known.passwordChanged || ticked.has('password'),
    },
    can('launch') && workflows.length > 0 && {
      id: 'launch', title: tour ? 'Launch the tour' : 'Launch a workflow',
      text: tour ? 'It counts in branches and waits a second. It touches nothing.' : 'Choose one, fill in its form, and rehearse it first.',
      href: tour ? `/launch/${TOUR}` : '/workflows', icon: 'play', done: launched,
    },
    can('read') && {
      id: 'look', title: 'Look at a run', text: 'Its steps, its log and what it made, live.',
      href: lastRun ? `/runs/${lastRun.id}` : '/runs', icon: 'eye', done: ticked.has('look'),
    },
    can('edit') && workflows.length > 0 && {
      id: 'edit', title: 'Change a script', text: 'The editor knows every function, checks as you type, and keeps every version.',
      href: `/edit/${tour?.name ?? workflows[0]!.name}`, icon: 'code', done: edited,
    },
    {
      id: 'token', title: 'Make a token', text: 'For the command line and for other programs; it can do less than you.',
      href: '/tokens', icon: 'key', done: tokens.some((one) => one.name !== 'dev'),
    },
    can('manage') && {
      id: 'factor', title: 'Turn on a second factor', text: 'Whoever learns your password then still can’t get in.',
      href: '/account', icon: 'screen', done: totp || ticked.has('factor'),
    },
  ];
  return steps.filter((step) => step !== false);
}
