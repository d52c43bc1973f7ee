// Drafts, places and names: what the editor's page decides without a browser's help.
import { beforeEach, describe, expect, it } from 'vitest';
import { beginWith, dropDraft, keepDraft, readDraft } from './draft';
import { offsetOf, rangeOf } from './positions';
import { inWords } from './presence.svelte';
import { faultOfName, templates } from './templates';
import { outlineOf } from '$lib/rhai';
import { session } from '$lib/session.svelte';

describe('a draft', () => {
  beforeEach(() => localStorage.clear());
  it('is kept while it differs, and gone when it does not', () => {
    keepDraft('a/b', { digest: 'd1', base: 'old', source: 'new' }, 5);
    expect(readDraft('a/b')).toEqual({ digest: 'd1', base: 'old', source: 'new', at: 5 });
    expect(readDraft('a/c')).toBeNull();
    keepDraft('a/b', { digest: 'd1', base: 'old', source: 'old' });
    expect(readDraft('a/b')).toBeNull();
    keepDraft('a/b', { digest: null, base: '', source: 'x' });
    dropDraft('a/b');
    expect(readDraft('a/b')).toBeNull();
  });
  it('goes on if the file is what it began from, and asks if it is not', () => {
    const draft = { digest: 'd1', base: 'old', source: 'new', at: 1 };
    expect(beginWith({ source: 'old', digest: 'd1' }, null)).toEqual({ kind: 'fresh' });
    expect(beginWith({ source: 'old', digest: 'd1' }, draft).kind).toBe('resumed');
    expect(beginWith({ source: 'theirs', digest: 'd2' }, draft).kind).toBe('overtaken');
    // Somebody removed it.
    expect(beginWith({ source: '', digest: null }, draft).kind).toBe('resumed');
    // Somebody saved the very same.
    expect(beginWith({ source: 'new', digest: 'd3' }, draft).kind).toBe('fresh');
  });
  it('is its author’s alone', () => {
    session.who = { user: 'ada' } as typeof session.who;
    keepDraft('a/b', { digest: 'd1', base: 'old', source: 'ada’s' });
    session.who = { user: 'bob' } as typeof session.who;
    expect(readDraft('a/b')).toBeNull();
    session.who = null;
  });
  it('that can’t be read is none', () => {
    localStorage.setItem('windlass.draft.a/b', '{"digest":1}');
    expect(readDraft('a/b')).toBeNull();
  });
});

describe('places', () => {
  it('count characters, not code units', () => {
    expect(offsetOf('ab\ncd', 2, 2)).toBe(4);
    expect(offsetOf('a😀b', 1, 3)).toBe(3);
    expect(offsetOf('a', 9, 9)).toBe(1);
  });
  it('underline a word, or something', () => {
    expect(rangeOf('let foo = 1', { line: 1, column: 5 })).toEqual({ from: 4, to: 7 });
    expect(rangeOf('x', { line: 1, column: 2 })).toEqual({ from: 0, to: 1 });
    expect(rangeOf('', { line: 1, column: 1 })).toEqual({ from: 0, to: 0 });
  });
});

describe('a new workflow', () => {
  it('has a name that fits', () => {
    expect(faultOfName('lab/a-b', 'empty', [])).toBeNull();
    expect(faultOfName('lab', 'empty', [])).toContain('Names look like');
    expect(faultOfName('lib/x', 'empty', [])).toContain('module');
    expect(faultOfName('lab/x', 'module', [])).toContain('lib/');
    expect(faultOfName('lab/x', 'empty', ['lab/x'])).toContain('already');
  });
  it('begins with something that stands', () => {
    for (const one of templates) {
      const outline = outlineOf(one.source('lab/x', 'A "title"'));
      expect(outline.functions.length, one.id).toBe(1);
      expect(one.id === 'module' || outline.constants[0]?.name === 'WORKFLOW').toBe(true);
    }
  });
});

describe('who else is at it', () => {
  const one = (by: string, changed = false) => ({ by, changed });
  it('is told in a sentence', () => {
    expect(inWords([], 'me')).toBeNull();
    expect(inWords([one('ada')], 'me')).toEqual({ who: 'ada', rest: 'has this script open, too.' });
    expect(inWords([one('ada'), one('ada', true), one('bob')], 'me')).toEqual({ who: 'ada and bob', rest: 'have this script open, too, with changes that aren’t saved.' });
    expect(inWords([one('me')], 'me')).toEqual({ who: 'You', rest: 'have this script open in another window, too.' });
    expect(inWords([one('ada'), one('me')], 'me')?.who).toBe('ada and you in another window');
    expect(inWords(['a', 'b', 'c', 'd'].map((by) => one(by)), 'me')?.who).toBe('a, b and 2 others');
  });
});
