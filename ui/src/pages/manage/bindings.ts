// Roles in words, and what a set of them amounts to.
import type { Schema } from '$lib/api';

export type Binding = Schema<'Binding'>;
export type Role = Schema<'Role'>;

export const roles: readonly { value: Role; label: string; means: string }[] = [
  { value: 'viewer', label: 'Viewer', means: 'looks at workflows, runs, logs and resources' },
  { value: 'operator', label: 'Operator', means: 'also launches, steers, decides on approvals and edits' },
  { value: 'franchisee', label: 'Franchisee', means: 'also looks after the organisation’s users, tokens and audit log' },
  { value: 'admin', label: 'Admin', means: 'does everything' },
];
const rank = (role: Role) => roles.findIndex((one) => one.value === role);

const covers = (wide: string, narrow: string) => wide === '*' || (narrow !== '*' && (narrow === wide || narrow.startsWith(`${wide}/`)));

/** Whether who holds the first holds the second, too. */
export function includes(held: Binding, wanted: Binding): boolean {
  return (
    rank(held.role) >= rank(wanted.role) &&
    (held.organisation === '*' || held.organisation === wanted.organisation) &&
    covers(held.folder ?? '*', wanted.folder ?? '*')
  );
}

/** The first that nobody may give who holds these. */
export const beyond = (held: readonly Binding[], wanted: readonly Binding[]) =>
  wanted.find((one) => !held.some((mine) => includes(mine, one)));

/** `all organisations`, `acme, workflows in lab` */
export function where(binding: Binding): string {
  const place = binding.organisation === '*' ? 'all organisations' : binding.organisation;
  return (binding.folder ?? '*') === '*' ? place : `${place}, workflows in ${binding.folder}`;
}

export const labelOf = (role: Role) => roles.find((one) => one.value === role)?.label ?? role;

/** A folder as the server takes it: no slash at its end, nothing means all. */
export const folderOf = (text: string) => text.trim().replace(/\/\*?$/, '').replace(/^\//, '') || '*';

/** What every name of a user or an organisation has to be like; the server has the last word. */
export const nameProblem = (name: string) =>
  !name ? 'A name is needed.'
  : /[^A-Za-z0-9._-]/.test(name) ? 'Letters, digits, dots, lines and underscores only.'
  : undefined;
