// All pages: where they are, who sees them, and the file that draws them, which is fetched when it is needed.
import type { Component } from 'svelte';
import type { IconName } from '$lib/ui/Icon.svelte';
import type { Permission } from '$lib/api';
import { match, type Params } from '$lib/router.svelte';

export interface Route {
  /** `{id}` is a segment, `{name*}` the rest of the path. The first route that fits is taken. */
  path: string;
  /** The page gets its parameters as properties of `params`. */
  page: () => Promise<{ default: Component<{ params: Params }> }>;
  /** Without it the page says that one may not. */
  permission?: Permission;
  /** Its place in the navigation, if it has one. */
  nav?: { label: string; icon: IconName; group: string; key?: string };
  /** How the command palette calls a page that has no place in the navigation. */
  palette?: { label: string; icon: IconName; words: string };
  /** The path of the navigation's entry that it belongs to. */
  under?: string;
  /** What a page is made anew for; without it, any of its parameters. */
  key?: (params: Params) => string;
  /** Whoever comes sees it, logged in or not, without the navigation around it. */
  public?: boolean;
  /** Uses the whole width, without the page's margins: run, editor. */
  wide?: boolean;
  /** A window of its own, without navigation: a console. */
  bare?: boolean;
}

/** A page's file; what it gives gets `params` as its route names them. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- pages type `params` more narrowly than the table can.
const page = (file: () => Promise<{ default: Component<any> }>) => file as Route['page'];

export const routes: readonly Route[] = [
  { path: '/', page: page(() => import('./pages/start/Start.svelte')), nav: { label: 'Start', icon: 'home', group: '', key: 'h' } },
  { path: '/runs', page: page(() => import('./pages/runs/Runs.svelte')), permission: 'read', nav: { label: 'Runs', icon: 'runs', group: '', key: 'r' } },
  { path: '/runs/{id}', page: page(() => import('./pages/run/Run.svelte')), permission: 'read', under: '/runs', wide: true },
  { path: '/runs/{id}/progress', page: page(() => import('./pages/progress/Progress.svelte')), permission: 'read', under: '/runs' },
  { path: '/runs/{id}/diff', page: page(() => import('./pages/run/RunDiff.svelte')), permission: 'read', under: '/runs' },
  { path: '/workflows', page: page(() => import('./pages/workflows/Workflows.svelte')), permission: 'read', nav: { label: 'Workflows', icon: 'workflow', group: '', key: 'w' } },
  { path: '/workflows/{name*}', page: page(() => import('./pages/workflows/Workflow.svelte')), permission: 'read', under: '/workflows' },
  { path: '/launch/{name*}', page: page(() => import('./pages/launch/Launch.svelte')), permission: 'launch', under: '/workflows' },
  { path: '/new', page: page(() => import('./pages/wizard/New.svelte')), permission: 'launch', nav: { label: 'New', icon: 'plus', group: '', key: 'n' } },
  // Its steps are one page: what is filled in stays.
  { path: '/new/{area}/{rest*}', page: page(() => import('./pages/wizard/Wizard.svelte')), permission: 'launch', under: '/new', key: ({ area, rest }) => `${area}/${rest?.split('/')[0]}` },
  { path: '/edit', page: page(() => import('./pages/editor/NewWorkflow.svelte')), permission: 'edit', under: '/workflows' },
  { path: '/edit/{name*}', page: page(() => import('./pages/editor/Editor.svelte')), permission: 'read', under: '/workflows', wide: true },
  { path: '/labs', page: page(() => import('./pages/labs/Labs.svelte')), permission: 'read', nav: { label: 'Labs', icon: 'lab', group: '', key: 'l' } },
  { path: '/labs/new', page: page(() => import('./pages/labs/Labs.svelte')), permission: 'launch', under: '/labs' },
  { path: '/labs/{lab}', page: page(() => import('./pages/labs/Lab.svelte')), permission: 'read', under: '/labs', wide: true },
  { path: '/labs/{lab}/console/{node}', page: page(() => import('./pages/labs/ConsolePage.svelte')), permission: 'read', under: '/labs', bare: true },
  { path: '/approvals', page: page(() => import('./pages/approvals/Approvals.svelte')), permission: 'read', nav: { label: 'Approvals', icon: 'inbox', group: '', key: 'a' } },
  { path: '/schedules', page: page(() => import('./pages/schedules/Schedules.svelte')), permission: 'read', nav: { label: 'Schedules', icon: 'clock', group: 'Automate', key: 's' } },
  { path: '/schedules/new', page: page(() => import('./pages/schedules/NewSchedule.svelte')), permission: 'edit', under: '/schedules' },
  { path: '/schedules/{id}', page: page(() => import('./pages/schedules/Schedule.svelte')), permission: 'read', under: '/schedules' },
  { path: '/schedules/{id}/edit', page: page(() => import('./pages/schedules/EditSchedule.svelte')), permission: 'edit', under: '/schedules' },
  { path: '/webhooks', page: page(() => import('./pages/webhooks/Webhooks.svelte')), permission: 'read', nav: { label: 'Webhooks', icon: 'hook', group: 'Automate' } },
  { path: '/webhooks/new', page: page(() => import('./pages/webhooks/NewWebhook.svelte')), permission: 'edit', under: '/webhooks' },
  { path: '/webhooks/{id}', page: page(() => import('./pages/webhooks/Webhook.svelte')), permission: 'read', under: '/webhooks' },
  { path: '/webhooks/{id}/edit', page: page(() => import('./pages/webhooks/EditWebhook.svelte')), permission: 'edit', under: '/webhooks' },
  { path: '/triggers', page: page(() => import('./pages/webhooks/Triggers.svelte')), permission: 'read', nav: { label: 'Triggers', icon: 'trigger', group: 'Automate' } },
  { path: '/triggers/new', page: page(() => import('./pages/webhooks/NewTrigger.svelte')), permission: 'edit', under: '/triggers' },
  { path: '/triggers/{id}', page: page(() => import('./pages/webhooks/Trigger.svelte')), permission: 'read', under: '/triggers' },
  { path: '/triggers/{id}/edit', page: page(() => import('./pages/webhooks/EditTrigger.svelte')), permission: 'edit', under: '/triggers' },
  { path: '/notifications', page: page(() => import('./pages/notifications/Notifications.svelte')), permission: 'read', nav: { label: 'Notifications', icon: 'info', group: 'Automate' } },
  { path: '/notifications/targets/new', page: page(() => import('./pages/notifications/TargetPage.svelte')), permission: 'edit', palette: { label: 'New notification target', icon: 'plus', words: 'mail slack discord ntfy mattermost webhook' }, under: '/notifications' },
  { path: '/notifications/targets/{id}', page: page(() => import('./pages/notifications/TargetPage.svelte')), permission: 'read', under: '/notifications' },
  { path: '/notifications/rules/new', page: page(() => import('./pages/notifications/RulePage.svelte')), permission: 'edit', palette: { label: 'New notification rule', icon: 'plus', words: 'alert tell digest quiet' }, under: '/notifications' },
  { path: '/notifications/rules/{id}', page: page(() => import('./pages/notifications/RulePage.svelte')), permission: 'read', under: '/notifications' },
  { path: '/plans', page: page(() => import('./pages/plans/Plans.svelte')), permission: 'read', nav: { label: 'Plans', icon: 'plan', group: 'Automate' } },
  { path: '/plans/{id}', page: page(() => import('./pages/plans/PlanPage.svelte')), permission: 'read', under: '/plans' },
  { path: '/audit', page: page(() => import('./pages/audit/Audit.svelte')), permission: 'manage', nav: { label: 'Audit log', icon: 'audit', group: 'Manage' } },
  { path: '/users', page: page(() => import('./pages/users/Users.svelte')), permission: 'manage', nav: { label: 'Users', icon: 'users', group: 'Manage', key: 'u' } },
  { path: '/users/+new', page: page(() => import('./pages/users/NewUser.svelte')), permission: 'manage', under: '/users' },
  { path: '/users/{name}', page: page(() => import('./pages/users/User.svelte')), permission: 'manage', under: '/users' },
  { path: '/organisations', page: page(() => import('./pages/organisations/Organisations.svelte')), permission: 'manage', nav: { label: 'Organisations', icon: 'building', group: 'Franchise', key: 'o' } },
  { path: '/organisations/{name}', page: page(() => import('./pages/organisations/Organisation.svelte')), under: '/organisations' },
  { path: '/tokens', page: page(() => import('./pages/tokens/Tokens.svelte')), nav: { label: 'Tokens', icon: 'key', group: 'Manage', key: 't' } },
  { path: '/secrets', page: page(() => import('./pages/secrets/Secrets.svelte')), permission: 'administer', nav: { label: 'Secrets', icon: 'lock', group: 'Manage' } },
  { path: '/nodes', page: page(() => import('./pages/nodes/Nodes.svelte')), permission: 'administer', nav: { label: 'Server', icon: 'screen', group: 'Manage' } },
  { path: '/doctor', page: page(() => import('./pages/settings/Doctor.svelte')), permission: 'administer', palette: { label: 'Doctor', icon: 'check', words: 'health machine checks server' }, under: '/nodes' },
  { path: '/settings', page: page(() => import('./pages/settings/Settings.svelte')), permission: 'administer', palette: { label: 'Settings', icon: 'settings', words: 'configuration keys server' }, under: '/nodes' },
  { path: '/resources', page: page(() => import('./pages/resources/Resources.svelte')), permission: 'read', nav: { label: 'Inventory', icon: 'box', group: 'Manage' } },
  { path: '/plugins', page: page(() => import('./pages/plugins/Plugins.svelte')), permission: 'read', nav: { label: 'Plugins', icon: 'code', group: 'Manage' } },
  { path: '/plugins/+install', page: page(() => import('./pages/plugins/Install.svelte')), permission: 'administer', palette: { label: 'Install a plugin', icon: 'plus', words: 'registrar archive folder update' }, under: '/plugins' },
  { path: '/plugins/+new', page: page(() => import('./pages/plugins/New.svelte')), permission: 'administer', palette: { label: 'Write a plugin', icon: 'code', words: 'registrar new editor' }, under: '/plugins' },
  { path: '/plugins/+edit/{name*}', page: page(() => import('./pages/plugins/Edit.svelte')), permission: 'read', under: '/plugins', wide: true },
  { path: '/plugins/{name*}', page: page(() => import('./pages/plugins/Plugin.svelte')), permission: 'read', under: '/plugins' },
  { path: '/bundles/{digest}', page: page(() => import('./pages/bundles/Bundle.svelte')), permission: 'read', under: '/runs' },
  { path: '/vouchers', page: page(() => import('./pages/vouchers/Vouchers.svelte')), permission: 'manage', nav: { label: 'Vouchers', icon: 'ticket', group: 'Franchise', key: 'v' } },
  { path: '/vouchers/new', page: page(() => import('./pages/vouchers/IssueVouchers.svelte')), permission: 'manage', under: '/vouchers' },
  { path: '/vouchers/{id}', page: page(() => import('./pages/vouchers/BatchPage.svelte')), permission: 'manage', under: '/vouchers' },
  { path: '/ledger', page: page(() => import('./pages/ledger/Ledger.svelte')), permission: 'manage', nav: { label: 'Ledger', icon: 'ledger', group: 'Franchise' } },
  { path: '/redeem', page: page(() => import('./pages/public/Redeem.svelte')), public: true },
  { path: '/redeem/{run}', page: page(() => import('./pages/public/Redemption.svelte')), public: true },
  { path: '/invitation', page: page(() => import('./pages/public/Invitation.svelte')), public: true },
  { path: '/account', page: page(() => import('./pages/account/Account.svelte')) },
];

/** The page at a path. */
export function find(path: string): { route: Route; params: Params } | null {
  for (const route of routes) {
    const params = match(route.path, path);
    if (params) return { route, params };
  }
  return null;
}
