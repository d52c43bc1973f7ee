// Which ways in somebody is offered.
import { describe, expect, it } from 'vitest';
import { listed, missions, type Offered } from './missions';

const workflow = (name: string, sound = true) => ({ name, title: name, tags: [], steps: 0, version: 1, sound });
const all = ['provision/sovereign', 'lab/two-routers', 'franchise/onboard', 'franchise/issue-vouchers'].map((name) => workflow(name));
const offered = (more: Partial<Offered> = {}) => missions({ can: () => true, workflows: all, drafts: [], page: () => false, ...more });

describe('missions', () => {
  it('are three, each with what to do first', () => {
    expect(offered().map((one) => [one.id, one.begin.href])).toEqual([
      ['sovereign', '/new/provision/sovereign'], ['lab', '/launch/lab/two-routers'], ['franchise', '/new/franchise/onboard'],
    ]);
  });
  it('are those that one may take, and that work', () => {
    expect(offered({ can: () => false })).toEqual([]);
    expect(offered({ workflows: [workflow('provision/sovereign', false), workflow('lab/two-routers')] }).map((one) => one.id)).toEqual(['lab']);
    // Who appoints nobody begins with vouchers.
    const franchisee = offered({ can: (permission) => permission === 'launch' }).find((one) => one.id === 'franchise')!;
    expect([franchisee.begin.href, franchisee.more]).toEqual(['/new/franchise/issue-vouchers', []]);
  });
  it('lead to pages of their own where there are some, and on with what was begun', () => {
    const drafts = [{ workflow: 'provision/sovereign', input: {}, version: 1, updated_at_ms: 0 }] as unknown as Offered['drafts'];
    const found = offered({ page: () => true, drafts });
    expect(found.map((one) => one.begin)).toEqual([
      { label: 'Go on where you were', href: '/new/provision/sovereign' }, { label: 'Draw or open a lab', href: '/labs' }, { label: 'Appoint a franchisee', href: '/new/franchise/onboard' },
    ]);
    expect(found[2]!.more.map((one) => one.href)).toEqual(['/vouchers', '/redeem']);
  });
  it('say names as people do', () => {
    expect([listed([]), listed(['a']), listed(['a', 'b', 'c'])]).toEqual(['', 'a', 'a, b and c']);
  });
});
