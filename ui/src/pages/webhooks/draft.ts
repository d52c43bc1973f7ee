// A webhook and a trigger as their forms hold them, and what is sent of them.
import type { Schema } from '$lib/api';
import { parseInput, printed, tagsOf } from '../manage/input';

export type WebhookView = Schema<'WebhookView'>;
export type TriggerView = Schema<'TriggerView'>;
type Action = WebhookView['action'];

export interface WebhookDraft {
  name: string;
  description: string;
  organisation: string;
  scheme: Schema<'Scheme'>;
  key: string;
  window: string;
  does: Action['do'];
  workflow: string;
  input: string;
  tags: string;
  signal: string;
  by: 'run' | 'tag';
  whom: string;
  payload: string;
  paused: boolean;
}

export const emptyWebhook = (): WebhookDraft => ({
  name: '', description: '', organisation: '', scheme: 'standard', key: '', window: '5m', does: 'launch', workflow: '', input: '', tags: '',
  signal: '', by: 'tag', whom: '', payload: '"${/body}"', paused: false,
});

/** `300000` as people write it: `5m`. */
export function span(ms: number): string {
  for (const [unit, size] of [['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const) if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  return `${ms}ms`;
}

export function webhookDraft(view: WebhookView): WebhookDraft {
  const { action } = view;
  const base = { ...emptyWebhook(), name: view.name, description: view.description, organisation: view.organisation, scheme: view.scheme, window: span(view.window_ms), paused: view.paused, does: action.do, workflow: action.workflow };
  if (action.do === 'launch') return { ...base, input: printed(action.input), tags: (action.tags ?? []).join(', ') };
  return { ...base, signal: action.signal, by: action.run ? 'run' : 'tag', whom: action.run ?? action.tag ?? '', payload: printed(action.payload) };
}

const valueOf = (text: string): unknown => {
  const parsed = parseInput(text);
  return parsed.ok ? parsed.value : {};
};

export function actionOf(draft: WebhookDraft): Action {
  const workflow = draft.workflow.trim();
  if (draft.does === 'launch') return { do: 'launch', workflow, input: valueOf(draft.input), tags: tagsOf(draft.tags) };
  const whom = draft.whom.trim();
  return { do: 'signal', workflow, signal: draft.signal.trim(), run: draft.by === 'run' ? whom : null, tag: draft.by === 'tag' ? whom : null, payload: valueOf(draft.payload) };
}

export function webhookMistakes(draft: WebhookDraft): Partial<Record<keyof WebhookDraft, string>> {
  const found: Partial<Record<keyof WebhookDraft, string>> = {};
  if (!draft.name.trim()) found.name = 'A name is needed.';
  if (!draft.workflow.trim()) found.workflow = draft.does === 'launch' ? 'Say which workflow it launches.' : 'Say whose runs it may signal.';
  if (draft.does === 'signal' && !draft.signal.trim()) found.signal = 'Say which signal the run waits for.';
  if (draft.does === 'signal' && !draft.whom.trim()) found.whom = 'Say which run gets it.';
  const parsed = parseInput(draft.does === 'launch' ? draft.input : draft.payload);
  if (!parsed.ok) found[draft.does === 'launch' ? 'input' : 'payload'] = parsed.message;
  return found;
}

export const newWebhook = (draft: WebhookDraft): Schema<'NewWebhook'> => ({
  name: draft.name.trim(), description: draft.description, organisation: draft.organisation || null, scheme: draft.scheme, key: draft.key.trim() || null,
  window: draft.scheme === 'standard' ? draft.window.trim() || null : null, action: actionOf(draft), paused: draft.paused,
});

const differs = (one: unknown, other: unknown) => JSON.stringify(one) !== JSON.stringify(other);

/** Only what differs: what isn't named stays. */
export function webhookChange(before: WebhookDraft, after: WebhookDraft): Schema<'WebhookChange'> {
  const change: Record<string, unknown> = {};
  if (before.name !== after.name) change.name = after.name.trim();
  if (before.description !== after.description) change.description = after.description;
  if (before.window !== after.window) change.window = after.window.trim();
  if (differs(actionOf(before), actionOf(after))) change.action = actionOf(after);
  return change as Schema<'WebhookChange'>;
}

export interface TriggerDraft {
  name: string;
  description: string;
  organisation: string;
  onWorkflow: string;
  states: string[];
  onTag: string;
  workflow: string;
  input: string;
  tags: string;
  paused: boolean;
}

export const endings: readonly { value: string; label: string; means: string }[] = [
  { value: 'succeeded', label: 'Succeeded', means: 'it did all that it should' },
  { value: 'failed', label: 'Failed', means: 'it stopped, and nothing was undone' },
  { value: 'rolled_back', label: 'Undone', means: 'it failed, and what it did was undone' },
  { value: 'cancelled', label: 'Cancelled', means: 'somebody asked for its end' },
  { value: 'rollback_stuck', label: 'Undo stuck', means: 'its undo needs a person' },
];

export const emptyTrigger = (): TriggerDraft => ({
  name: '', description: '', organisation: '', onWorkflow: '', states: ['failed', 'rolled_back'], onTag: '', workflow: '', input: '', tags: '', paused: false,
});

export const triggerDraft = (view: TriggerView): TriggerDraft => ({
  name: view.name, description: view.description, organisation: view.organisation, onWorkflow: view.on.workflow, states: [...view.on.states], onTag: view.on.tag ?? '',
  workflow: view.workflow, input: printed(view.input), tags: view.tags.join(', '), paused: view.paused,
});

export function triggerMistakes(draft: TriggerDraft): Partial<Record<keyof TriggerDraft, string>> {
  const found: Partial<Record<keyof TriggerDraft, string>> = {};
  if (!draft.name.trim()) found.name = 'A name is needed.';
  if (!draft.onWorkflow.trim()) found.onWorkflow = 'Say whose runs it waits for: a workflow, a folder, or *.';
  if (!draft.states.length) found.states = 'Choose at least one ending.';
  if (!draft.workflow.trim()) found.workflow = 'Say which workflow it launches.';
  const parsed = parseInput(draft.input);
  if (!parsed.ok) found.input = parsed.message;
  return found;
}

export const newTrigger = (draft: TriggerDraft): Schema<'NewTrigger'> => ({
  name: draft.name.trim(), description: draft.description, organisation: draft.organisation || null,
  on: { workflow: draft.onWorkflow.trim(), states: draft.states, tag: draft.onTag.trim() || null }, workflow: draft.workflow.trim(), input: valueOf(draft.input), tags: tagsOf(draft.tags), paused: draft.paused,
});

export function triggerChange(before: TriggerDraft, after: TriggerDraft): Schema<'TriggerChange'> {
  const [was, is] = [newTrigger(before), newTrigger(after)];
  const change: Record<string, unknown> = {};
  for (const key of ['name', 'description', 'on', 'workflow', 'input', 'tags'] as const) if (differs(was[key], is[key])) change[key] = is[key];
  return change as Schema<'TriggerChange'>;
}
