// A schedule as its form holds it, and what is sent of it.
import type { Schema } from '$lib/api';
import { parseInput, printed, tagsOf } from '../manage/input';

type View = Schema<'ScheduleView'>;
type New = Schema<'NewSchedule'>;
type Change = Schema<'ScheduleChange'>;

export interface Draft {
  name: string;
  description: string;
  workflow: string;
  organisation: string;
  input: string;
  tags: string;
  cron: string;
  timeZone: string;
  overlap: Schema<'Overlap'>;
  missed: Schema<'Missed'>;
  jitter: string;
  /** As `datetime-local` has them: by the clock of this browser. */
  starts: string;
  ends: string;
  paused: boolean;
}

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export const empty = (): Draft => ({
  name: '', description: '', workflow: '', organisation: '', input: '', tags: '', cron: '', timeZone: ownZone(),
  overlap: 'skip', missed: 'once', jitter: '', starts: '', ends: '', paused: false,
});

/** `2026-11-21T12:30`, by this browser's clock. */
export function localText(ms: number | null | undefined): string {
  if (ms == null) return '';
  const at = new Date(ms);
  return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export const localMs = (text: string): number | null => {
  const ms = text ? new Date(text).getTime() : NaN;
  return Number.isNaN(ms) ? null : ms;
};

/** `90000` as the API takes it: `90s`; nothing for none. */
export function jitterText(ms: number): string {
  if (!ms) return '';
  for (const [unit, size] of [['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const) if (ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}

export const draftOf = (view: View): Draft => ({
  name: view.name, description: view.description, workflow: view.workflow, organisation: view.organisation, input: printed(view.input),
  tags: view.tags.join(', '), cron: view.cron, timeZone: view.time_zone, overlap: view.overlap, missed: view.missed,
  jitter: jitterText(view.jitter_ms), starts: localText(view.starts_at_ms), ends: localText(view.ends_at_ms), paused: view.paused,
});

/** What is wrong before anything is sent, by field. */
export function mistakes(draft: Draft): Partial<Record<keyof Draft, string>> {
  const found: Partial<Record<keyof Draft, string>> = {};
  if (!draft.name.trim()) found.name = 'A name is needed.';
  if (!draft.workflow.trim()) found.workflow = 'Say which workflow it launches.';
  if (!draft.cron.trim()) found.cron = 'Say when: five fields, or one of the patterns above.';
  const [starts, ends] = [localMs(draft.starts), localMs(draft.ends)];
  if (starts !== null && ends !== null && ends <= starts) found.ends = 'It would end before it begins.';
  return found;
}

const inputOf = (draft: Draft): unknown => {
  const parsed = parseInput(draft.input);
  return parsed.ok ? parsed.value : {};
};

export const created = (draft: Draft): New => ({
  name: draft.name.trim(), description: draft.description, workflow: draft.workflow.trim(), organisation: draft.organisation || null,
  input: inputOf(draft), tags: tagsOf(draft.tags), cron: draft.cron.trim(), time_zone: draft.timeZone.trim(), overlap: draft.overlap,
  missed: draft.missed, jitter: draft.jitter.trim() || null, starts_at_ms: localMs(draft.starts), ends_at_ms: localMs(draft.ends), paused: draft.paused,
});

/** Only what differs from what was there: what isn't named stays. */
export function changed(before: Draft, after: Draft): Change {
  const [was, is] = [created(before), created(after)];
  const change: Record<string, unknown> = {};
  for (const key of ['name', 'description', 'workflow', 'input', 'tags', 'cron', 'time_zone', 'overlap', 'missed', 'starts_at_ms', 'ends_at_ms', 'paused'] as const) {
    if (JSON.stringify(was[key] ?? null) !== JSON.stringify(is[key] ?? null)) change[key] = is[key] ?? null;
  }
  if ((was.jitter ?? '') !== (is.jitter ?? '')) change.jitter = is.jitter ?? '0s';
  return change as Change;
}

export const patterns: readonly { value: string; label: string }[] = [
  { value: '*/15 * * * *', label: 'Every 15 minutes' },
  { value: '0 * * * *', label: 'Every hour' },
  { value: '30 2 * * *', label: 'Every night at 02:30' },
  { value: '0 8 * * MON-FRI', label: 'Weekdays at 08:00' },
  { value: '0 6 * * SUN', label: 'Sundays at 06:00' },
  { value: '0 3 1 * *', label: 'First of the month at 03:00' },
  { value: '0 22 L * *', label: 'Last of the month at 22:00' },
];

export const overlaps: readonly { value: Schema<'Overlap'>; label: string; means: string }[] = [
  { value: 'skip', label: 'Leave this one out', means: 'While the run before is open, nothing is launched; the next time counts again.' },
  { value: 'queue', label: 'Wait for the one before', means: 'It is launched when the run before has ended. Up to 100 wait.' },
  { value: 'cancel_previous', label: 'Cancel the one before', means: 'The run before is asked to end, and undoes what it did; this one is launched at once.' },
  { value: 'allow', label: 'Launch all the same', means: 'Runs may go on beside one another.' },
];

export const misses: readonly { value: Schema<'Missed'>; label: string; means: string }[] = [
  { value: 'once', label: 'Make up for them with one run', means: 'If the server was down at several of the times, one run is launched when it is back.' },
  { value: 'all', label: 'Make up for each', means: 'One run for each time that was missed, up to the last 1,000.' },
  { value: 'skip', label: 'Leave them out', means: 'What was missed is missed.' },
];
