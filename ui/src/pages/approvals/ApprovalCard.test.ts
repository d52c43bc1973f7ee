// A decision: what has to be filled in, what is sent, and what happens when it is refused or the question has changed.
import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Schema } from '$lib/api';
import ApprovalCard from './ApprovalCard.svelte';

type Item = Schema<'InboxItem'>;
const item = (request: Partial<Item['request']> = {}, more: Partial<Item> = {}): Item => ({
  run: 'r1', path: '2/ask', asked_at_ms: 0, decisions: [], settled: false, workflow: 'lab/x', organisation: 'platform', launched_by: 'ann', may_decide: true,
  request: { title: 'Go on?', details: { site: 'berlin', urgent: true }, quorum: 1, on_expiry: 'fail', allow_self: false, digest: 'd1', ...request },
  ...more,
});
const form = { type: 'object', required: ['window'], properties: { window: { title: 'Window', type: 'string' } } };

const sent: { url: string; body: Record<string, unknown> }[] = [];
let answer: () => Response;
beforeEach(() => {
  sent.length = 0;
  answer = () => Response.json({ settled: true });
  vi.stubGlobal('fetch', async (url: string, options: RequestInit) => {
    sent.push({ url: String(url), body: JSON.parse(String(options.body)) as Record<string, unknown> });
    return answer();
  });
});
afterEach(() => vi.unstubAllGlobals());

function card(of: Item) {
  const onsettled = vi.fn();
  const view = render(ApprovalCard, { item: of, onsettled });
  return { user: userEvent.setup(), onsettled, view };
}

describe('a decision', () => {
  it('shows what is asked, and sends the digest of what was shown', async () => {
    const { user, onsettled } = card(item());
    expect(screen.getByText('berlin')).toBeTruthy();
    expect(screen.getByText('yes')).toBeTruthy();
    await user.type(screen.getByLabelText(/Comment/), 'fine');
    await user.click(screen.getByRole('button', { name: 'Approve' }));
    expect(sent).toEqual([{ url: '/api/v1/runs/r1/approvals/2/ask/decision', body: { approved: true, digest: 'd1', comment: 'fine', form: null } }]);
    expect(onsettled).toHaveBeenCalledOnce();
  });

  it('needs the form to approve, and not to deny', async () => {
    const { user } = card(item({ form }));
    await user.click(screen.getByRole('button', { name: 'Approve' }));
    expect(screen.getByText('This is needed.')).toBeTruthy();
    expect(document.activeElement).toBe(screen.getByLabelText('Window'));
    expect(sent).toEqual([]);
    await user.type(screen.getByLabelText('Window'), 'tonight');
    await user.click(screen.getByRole('button', { name: 'Approve' }));
    expect(sent[0]!.body).toMatchObject({ approved: true, form: { window: 'tonight' } });
    await user.click(screen.getByRole('button', { name: 'Deny' }));
    expect(sent[1]!.body).toMatchObject({ approved: false, form: null });
  });

  it('that is refused says why: at the field, or above the buttons', async () => {
    const { user, onsettled } = card(item({ form }));
    const refuse = (status: number, body: object) => () => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/problem+json' } });
    await user.type(screen.getByLabelText('Window'), 'x');
    answer = refuse(400, { code: 'invalid_input', detail: 'no', pointer: '/form/window', data: { faults: [{ pointer: '/form/window', message: 'there is no such window' }] } });
    await user.click(screen.getByRole('button', { name: 'Approve' }));
    expect(screen.getByText('There is no such window.')).toBeTruthy();
    answer = refuse(409, { code: 'approval_stale', detail: 'What was shown is old.' });
    await user.click(screen.getByRole('button', { name: 'Approve' }));
    expect(screen.getByText('What was shown is old.')).toBeTruthy();
    expect(onsettled).not.toHaveBeenCalled();
  });

  it('waits until somebody has read what has changed meanwhile', async () => {
    const { user, view } = card(item());
    await view.rerender({ item: item({ digest: 'd2', title: 'Really go on?' }) });
    expect(screen.getByRole('button', { name: 'Approve' }).hasAttribute('disabled')).toBe(true);
    await user.click(screen.getByRole('button', { name: 'I have read it' }));
    await user.click(screen.getByRole('button', { name: 'Approve' }));
    expect(sent[0]!.body.digest).toBe('d2');
  });

  it('isn’t offered to those who may not take it', () => {
    card(item({}, { may_decide: false, why_not: 'ann launched run `r1`, and can’t decide on its approval' }));
    expect(screen.queryByRole('button', { name: 'Approve' })).toBeNull();
    expect(screen.getByText(/ann launched run/)).toBeTruthy();
  });

  it('says who has decided, and what its end means', () => {
    card(item({ quorum: 2, expires_at_ms: Date.now() + 5_000, on_expiry: 'approve', role: 'admin' }, { decisions: [{ by: 'bea', approved: true, comment: 'ok', form: null, digest: 'd1' }] }));
    expect(screen.getByText('1 of 2 have approved')).toBeTruthy();
    expect(screen.getByText(/bea approved/)).toBeTruthy();
    expect(screen.getByText(/then it counts as approved/)).toBeTruthy();
    expect(screen.getByText('The role “admin” decides')).toBeTruthy();
  });
});
