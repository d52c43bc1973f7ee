// What the product is for, as somebody new finds it: three ways in, of those that one may take here.
import type { Schema } from '$lib/api';
import type { IconName } from '$lib/ui';

export interface Offered {
  can: (permission: 'launch' | 'manage' | 'administer') => boolean;
  workflows: readonly Schema<'WorkflowInShort'>[];
  /** What one has begun in the wizard. */
  drafts: readonly Schema<'DraftView'>[];
  /** Whether there is such a page. */
  page: (path: string) => boolean;
}

export interface Mission {
  id: string;
  title: string;
  text: string;
  icon: IconName;
  /** What to do first. */
  begin: { label: string; href: string };
  more: { label: string; href: string }[];
}

export function missions({ can, workflows, drafts, page }: Offered): Mission[] {
  const there = (name: string) => can('launch') && workflows.some((one) => one.name === name && one.sound);
  const shown: Mission[] = [];
  const draft = drafts.find((one) => one.workflow === 'provision/sovereign');
  if (there('provision/sovereign')) {
    shown.push({
      id: 'sovereign', title: 'Provision a Sovereign', icon: 'box',
      text: 'A Kubernetes cluster with a domain of its own, in seven steps. The last one shows what is made and what it costs a month; nothing is made before.',
      begin: { label: draft ? 'Go on where you were' : 'Choose and provision', href: '/new/provision/sovereign' },
      more: [{ label: 'What stands', href: '/resources' }],
    });
  }
  if (page('/labs') || there('lab/two-routers')) {
    const drawn = page('/labs');
    shown.push({
      id: 'lab', title: 'Build a network lab', icon: 'branch',
      text: 'Routers, machines and links on this machine. Deploy them, open consoles, pull a cable, and see whether the network finds another way.',
      begin: drawn ? { label: 'Draw or open a lab', href: '/labs' } : { label: 'Launch two routers', href: '/launch/lab/two-routers' },
      more: drawn && there('lab/two-routers') ? [{ label: 'Launch two routers', href: '/launch/lab/two-routers' }] : [],
    });
  }
  const issue = { label: 'Issue vouchers', href: page('/vouchers') ? '/vouchers' : '/new/franchise/issue-vouchers' };
  const appoints = can('administer') && there('franchise/onboard');
  if (appoints || there('franchise/issue-vouchers')) {
    shown.push({
      id: 'franchise', title: 'Run a franchise', icon: 'building',
      text: 'Appoint a franchisee, who sells what is provisioned under a name of its own. It issues vouchers; whoever redeems one is its customer.',
      begin: appoints ? { label: 'Appoint a franchisee', href: '/new/franchise/onboard' } : issue,
      more: [...(appoints ? [issue] : []), ...(page('/redeem') ? [{ label: 'Redeem one', href: '/redeem' }] : [])],
    });
  }
  return shown;
}

/** `a, b and c`. */
export const listed = (names: readonly string[]) => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`);
