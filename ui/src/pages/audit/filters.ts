// The audit log's filters as the address has them, and as the API takes them.
import type { QueryChange } from '$lib/router.svelte';

export interface AuditFilters {
  actor: string;
  action: string;
  target: string;
  organisation: string;
  /** `1h`, `24h`, `7d`, `30d`; `own`: since and until; nothing: all there is. */
  within: string;
  /** ISO 8601, in UTC. */
  since: string;
  until: string;
}

export const spans: readonly { value: string; label: string; ms: number }[] = [
  { value: '1h', label: 'The last hour', ms: 3_600_000 },
  { value: '24h', label: 'The last 24 hours', ms: 86_400_000 },
  { value: '7d', label: 'The last 7 days', ms: 7 * 86_400_000 },
  { value: '30d', label: 'The last 30 days', ms: 30 * 86_400_000 },
];

const NAMES = ['actor', 'action', 'target', 'organisation', 'within', 'since', 'until'] as const;

export function fromQuery(query: URLSearchParams): AuditFilters {
  return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ''])) as unknown as AuditFilters;
}

/** What stands in the address: a span has no dates beside it, and what is empty isn't there. */
export function toQuery(filters: AuditFilters): QueryChange {
  const own = filters.within === 'own';
  return { ...filters, since: own ? filters.since : null, until: own ? filters.until : null };
}

const instant = (text: string): number | undefined => {
  const ms = text ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
};

/** What the API is asked. An organisation that is chosen for the whole interface counts unless another one is named. */
export function asked(filters: AuditFilters, now: number, organisation: string | null) {
  const span = spans.find((one) => one.value === filters.within);
  const own = filters.within === 'own';
  return {
    actor: filters.actor || undefined,
    action: filters.action || undefined,
    target: filters.target || undefined,
    organisation: filters.organisation || organisation || undefined,
    since_ms: span ? now - span.ms : own ? instant(filters.since) : undefined,
    until_ms: own ? instant(filters.until) : undefined,
  };
}

export const anySet = (filters: AuditFilters) => NAMES.some((name) => filters[name]);

/** Beginnings of actions, to choose from. */
export const actions = ['approval.', 'node.', 'organisation.', 'plugin.', 'run.', 'schedule.', 'secret.', 'session.', 'token.', 'trigger.', 'user.', 'webhook.', 'workflow.'];

/** The page of what an entry is about. */
export function pageOf(action: string, target: string): string | undefined {
  const slashes = (name: string) => encodeURIComponent(name).replaceAll('%2F', '/');
  const kind = action.split('.')[0];
  if (!target || /\.(delete|remove)$/.test(action)) return undefined;
  if (kind === 'run' || kind === 'schedule' || kind === 'webhook' || kind === 'trigger') return `/${kind}s/${encodeURIComponent(target)}`;
  if (kind === 'user' || kind === 'session') return action === 'user.create' || kind === 'user' ? `/users/${encodeURIComponent(target)}` : undefined;
  if (kind === 'workflow') return `/workflows/${slashes(target)}`;
  if (kind === 'organisation') return '/organisations';
  return undefined;
}
