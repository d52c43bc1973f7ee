// What the forms of webhooks and triggers send.
import { describe, expect, it } from 'vitest';
import { actionOf, emptyTrigger, emptyWebhook, newTrigger, newWebhook, span, triggerChange, triggerDraft, triggerMistakes, webhookChange, webhookDraft, webhookMistakes, type TriggerView, type WebhookView } from './draft';

const signals = { id: '1', name: 'paid', description: '', organisation: 'acme', url: '', scheme: 'standard', window_ms: 600_000, paused: false, owner: 'ann', created_at_ms: 0, version: 1, action: { do: 'signal', workflow: 'shop/order', signal: 'paid', run: null, tag: 'order-${/body/order}', payload: '${/body}' } } as WebhookView;

describe('a webhook’s form', () => {
  it('comes back as it was', () => {
    const draft = webhookDraft(signals);
    expect(webhookChange(draft, draft)).toEqual({});
    expect(actionOf(draft)).toEqual(signals.action);
    expect(draft.window).toBe('10m');
  });
  it('names one run in one way only', () => {
    const draft = { ...webhookDraft(signals), by: 'run' as const, whom: '${/body/run}' };
    expect(webhookChange(webhookDraft(signals), draft)).toEqual({ action: { ...signals.action, run: '${/body/run}', tag: null } });
  });
  it('says what is missing, by what it does', () => {
    expect(Object.keys(webhookMistakes(emptyWebhook()))).toEqual(['name', 'workflow']);
    expect(Object.keys(webhookMistakes({ ...emptyWebhook(), does: 'signal' }))).toEqual(['name', 'workflow', 'signal', 'whom']);
    expect(webhookMistakes({ ...emptyWebhook(), input: '{' }).input).toMatch(/isn’t JSON/);
  });
  it('has no window where no time is signed', () => {
    expect(newWebhook({ ...emptyWebhook(), scheme: 'github' }).window).toBeNull();
    expect(newWebhook(emptyWebhook()).window).toBe('5m');
  });
  it('writes spans as people do', () => expect([10_000, 300_000, 3_600_000, 1_500].map(span)).toEqual(['10s', '5m', '1h', '1500ms']));
});

describe('a trigger’s form', () => {
  const view = { id: '1', name: 'next', description: '', organisation: 'acme', on: { workflow: 'web/*', states: ['failed'], tag: null }, workflow: 'web/tell', input: { run: '${/run/id}' }, tags: [], paused: false, owner: 'ann', created_at_ms: 0, version: 1 } as TriggerView;
  it('sends only what differs, and the whole condition if a part of it does', () => {
    const draft = triggerDraft(view);
    expect(triggerChange(draft, draft)).toEqual({});
    expect(triggerChange(draft, { ...draft, onTag: 'night' })).toEqual({ on: { workflow: 'web/*', states: ['failed'], tag: 'night' } });
    expect(newTrigger({ ...emptyTrigger(), tags: 'a, b a' }).tags).toEqual(['a', 'b']);
  });
  it('says what is missing', () => expect(Object.keys(triggerMistakes({ ...emptyTrigger(), states: [] }))).toEqual(['name', 'onWorkflow', 'states', 'workflow']));
});
