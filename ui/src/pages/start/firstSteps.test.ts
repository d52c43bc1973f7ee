// The first steps are worked out from what is there.
import { describe, expect, it } from 'vitest';
import { firstSteps, type Known } from './firstSteps';

const workflow = (name: string, version = 1) => ({ name, title: name, tags: [], steps: 0, version, sound: true });
const known = (more: Partial<Known> = {}): Known => ({ can: () => true, workflows: [workflow('lab/tour')], lastRun: undefined, launched: false, tokens: [], totp: false, passwordChanged: false, ticked: new Set(), ...more });
const done = (more: Partial<Known>) => firstSteps(known(more)).filter((step) => step.done).map((step) => step.id);

describe('first steps', () => {
  it('are all open at first, and name the tour', () => {
    const steps = firstSteps(known());
    expect(steps.map((step) => step.id)).toEqual(['password', 'launch', 'look', 'edit', 'token', 'factor']);
    expect(steps.every((step) => !step.done)).toBe(true);
    expect(steps.find((step) => step.id === 'launch')).toMatchObject({ title: 'Launch the tour', href: '/launch/lab/tour' });
  });
  it('are those that one may do', () => {
    expect(firstSteps(known({ can: (one) => one === 'read' })).map((step) => step.id)).toEqual(['password', 'look', 'token']);
    expect(firstSteps(known({ workflows: [] })).map((step) => step.id)).toEqual(['password', 'look', 'token', 'factor']);
    expect(firstSteps(known({ workflows: [workflow('a/b')] })).find((step) => step.id === 'launch')!.href).toBe('/workflows');
  });
  it('are done when their traces are there', () => {
    // A run that somebody else launched, or a script that came with the server, isn't theirs.
    expect(done({ lastRun: { id: 'r' } as Known['lastRun'] })).toEqual([]);
    expect(done({ launched: true })).toEqual(['launch']);
    expect(done({ workflows: [workflow('a/b', 2)] })).toEqual(['edit']);
    expect(done({ tokens: [{ name: 'dev' }] as unknown as Known['tokens'] })).toEqual([]);
    expect(done({ tokens: [{ name: 'ci' }] as unknown as Known['tokens'] })).toEqual(['token']);
    expect(done({ passwordChanged: true })).toEqual(['password']);
    expect(done({ totp: true, ticked: new Set(['password', 'look']) })).toEqual(['password', 'look', 'factor']);
  });
});
