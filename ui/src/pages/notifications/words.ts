// Notifications in words: ways, what a target needs, kinds of events, states of a delivery.
import type { Schema } from '$lib/api';
import type { Tone } from '$lib/states';
import type { IconName } from '$lib/ui';

export type Way = Schema<'Way'>;
export type Severity = Schema<'Severity'>;

interface Asked {
  label: string;
  hint: string;
  placeholder?: string;
}
export interface Told {
  value: Way;
  label: string;
  says: string;
  url?: Asked;
  secret?: Asked;
  mail?: boolean;
}

/** What each way asks for. Addresses of Discord, Slack and Mattermost are secrets by themselves. */
export const ways: readonly Told[] = [
  { value: 'email', label: 'E-mail', says: 'By the server’s own mail server.', mail: true },
  { value: 'ntfy', label: 'ntfy', says: 'To telephones that have subscribed to a topic.', url: { label: 'Topic’s address', hint: 'The server with the topic at its end.', placeholder: 'https://ntfy.sh/our-alarms' }, secret: { label: 'Access token', hint: 'If the topic asks for one.' } },
  { value: 'discord', label: 'Discord', says: 'To a channel.', url: { label: 'Webhook URL', hint: 'Channel settings, Integrations, Webhooks.', placeholder: 'https://discord.com/api/webhooks/…' } },
  { value: 'slack', label: 'Slack', says: 'To a channel.', url: { label: 'Incoming webhook URL', hint: 'From your Slack app.', placeholder: 'https://hooks.slack.com/services/…' } },
  { value: 'mattermost', label: 'Mattermost', says: 'To a channel.', url: { label: 'Incoming webhook URL', hint: 'Integrations, Incoming webhooks.', placeholder: 'https://chat.example.net/hooks/…' } },
  { value: 'webhook', label: 'Webhook', says: 'JSON to a program of yours, signed as Standard Webhooks say.', url: { label: 'Address', hint: 'Where it is sent by POST.', placeholder: 'https://example.net/windlass' }, secret: { label: 'Key', hint: 'whsec_ and base64; the receiver checks the signature with it.' } },
];
export const wayOf = (way: Way) => ways.find((one) => one.value === way) ?? ways[0]!;

export const severities: readonly { value: Severity; label: string; tone: Tone }[] = [
  { value: 'info', label: 'Info', tone: 'neutral' }, { value: 'warning', label: 'Warning', tone: 'warn' }, { value: 'error', label: 'Error', tone: 'bad' }, { value: 'critical', label: 'Critical', tone: 'bad' },
];
export const severityOf = (severity: Severity) => severities.find((one) => one.value === severity) ?? severities[0]!;

/** Kinds that people ask for most; any other can be typed. */
export const kinds: readonly { value: string; label: string }[] = [
  { value: 'run.failed', label: 'A run has failed' }, { value: 'run.rollback_stuck', label: 'An undo is stuck' }, { value: 'run.succeeded', label: 'A run has succeeded' }, { value: 'run.rolled_back', label: 'A run was undone' },
  { value: 'approval.requested', label: 'Somebody has to approve' }, { value: 'step.in_doubt', label: 'A step is in doubt' }, { value: 'workflow.rejected', label: 'A workflow’s file has mistakes' }, { value: 'plugin.rejected', label: 'A plugin’s files have mistakes' },
  { value: 'run.parked', label: 'A run is parked' }, { value: 'voucher.redeemed', label: 'A voucher was redeemed' }, { value: 'lab.*', label: 'Anything about labs' },
];
export const kindOf = (kind: string) => kinds.find((one) => one.value === kind)?.label ?? kind;

export const states: Record<Schema<'State'>, { label: string; tone: Tone; icon: IconName }> = {
  pending: { label: 'Waits', tone: 'running', icon: 'clock' }, delivered: { label: 'Delivered', tone: 'good', icon: 'check' }, dead: { label: 'Given up', tone: 'bad', icon: 'warning' }, digested: { label: 'In a digest', tone: 'neutral', icon: 'inbox' },
};

export const days = [{ value: 'mon', label: 'Mon' }, { value: 'tue', label: 'Tue' }, { value: 'wed', label: 'Wed' }, { value: 'thu', label: 'Thu' }, { value: 'fri', label: 'Fri' }, { value: 'sat', label: 'Sat' }, { value: 'sun', label: 'Sun' }] as const;

/** A rule's quiet hours in a sentence. */
export function quietInWords(quiet: Schema<'Quiet'>): string {
  const on = quiet.days?.length ? `, nights that begin ${quiet.days.map((day) => days.find((one) => one.value === day)?.label ?? day).join(', ')}` : '';
  const through = quiet.breaks_through ? `; ${severityOf(quiet.breaks_through).label.toLowerCase()} comes through` : '';
  return `${quiet.from} to ${quiet.to} (${quiet.time_zone})${on}${through}`;
}

/** Texts parted by commas, spaces or lines. */
export const listed = (text: string) => [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
