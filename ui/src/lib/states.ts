// States of runs and steps as they are shown: a word, a colour and a shape, so that none depends on colours alone.
import type { components } from './api/schema';

export type Tone = 'neutral' | 'running' | 'good' | 'bad' | 'warn' | 'undo' | 'accent';
export type Shape = 'dot' | 'ring' | 'spin' | 'check' | 'cross' | 'pause' | 'undo' | 'stop' | 'question' | 'dash' | 'bang';
export interface Look {
  label: string;
  tone: Tone;
  shape: Shape;
}

export type RunStateName = components['schemas']['RunView']['state'];

export const runStates: Record<RunStateName, Look> = {
  queued: { label: 'Queued', tone: 'neutral', shape: 'ring' },
  running: { label: 'Running', tone: 'running', shape: 'spin' },
  waiting: { label: 'Waiting', tone: 'warn', shape: 'pause' },
  cancelling: { label: 'Cancelling', tone: 'undo', shape: 'spin' },
  rolling_back: { label: 'Undoing', tone: 'undo', shape: 'spin' },
  rollback_stuck: { label: 'Undo stuck', tone: 'bad', shape: 'bang' },
  succeeded: { label: 'Succeeded', tone: 'good', shape: 'check' },
  failed: { label: 'Failed', tone: 'bad', shape: 'cross' },
  rolled_back: { label: 'Undone', tone: 'undo', shape: 'undo' },
  cancelled: { label: 'Cancelled', tone: 'neutral', shape: 'stop' },
};

/** States of steps, undo entries, resources, schedules …: by their names in the API. */
export const otherStates: Record<string, Look> = {
  pending: { label: 'Pending', tone: 'neutral', shape: 'ring' },
  started: { label: 'Running', tone: 'running', shape: 'spin' },
  retrying: { label: 'Trying again', tone: 'warn', shape: 'spin' },
  cut_off: { label: 'Cut off', tone: 'warn', shape: 'stop' },
  in_doubt: { label: 'In doubt', tone: 'bad', shape: 'question' },
  undone: { label: 'Undone', tone: 'undo', shape: 'undo' },
  done: { label: 'Done', tone: 'good', shape: 'check' },
  skipped: { label: 'Skipped', tone: 'neutral', shape: 'dash' },
  present: { label: 'There', tone: 'good', shape: 'dot' },
  gone: { label: 'Gone', tone: 'neutral', shape: 'dash' },
  active: { label: 'Active', tone: 'good', shape: 'dot' },
  paused: { label: 'Paused', tone: 'warn', shape: 'pause' },
  disabled: { label: 'Disabled', tone: 'neutral', shape: 'stop' },
  approved: { label: 'Approved', tone: 'good', shape: 'check' },
  rejected: { label: 'Rejected', tone: 'bad', shape: 'cross' },
  expired: { label: 'Expired', tone: 'neutral', shape: 'dash' },
};

const endedStates: readonly string[] = ['succeeded', 'failed', 'rolled_back', 'cancelled'];
export const hasEnded = (state: string) => endedStates.includes(state);

/** How a state looks; one that isn't known is shown by its name. */
export function lookOf(state: string): Look {
  const known = (runStates as Record<string, Look>)[state] ?? otherStates[state];
  return known ?? { label: state.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase()), tone: 'neutral', shape: 'dot' };
}

export const waitingFor: Record<string, string> = {
  timer: 'a time',
  signal: 'a signal',
  approval: 'a decision',
  lock: 'a lock',
  child: 'another run',
  in_doubt: 'a step in doubt',
  parked: 'somebody: parked',
};
