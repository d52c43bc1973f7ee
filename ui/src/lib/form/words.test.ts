// What was filled in, in words.
import { expect, it } from 'vitest';
import { inWords } from './words';
import type { Schema } from './schema';

const root: Schema = {
  type: 'object',
  properties: {
    brand: { type: 'object', 'x-empty': 'like the platform’s', properties: { title: { type: 'string', title: 'Title' }, logo: { type: 'string', title: 'Logo' }, colours: { type: 'object', title: 'Colours', properties: { text: { type: 'string', title: 'Text' } } } } },
    most: { type: 'object', propertyNames: { 'x-labels': { runs_open: 'Runs at a time' }, enum: ['runs_open', 'members'] } as Schema, additionalProperties: { type: 'integer', 'x-unit': 'runs' } },
  },
};
const told = (name: string, value: unknown) => inWords(root.properties![name], value, root);

it('leaves out groups in which nothing is filled in, and says what that means', () => {
  expect(told('brand', {})).toBe('like the platform’s');
  expect(told('brand', { colours: {} })).toBe('like the platform’s');
  expect(told('brand', { title: 'Acme', colours: {} })).toBe('Title: Acme');
  expect(told('brand', { colours: { text: '#111111' } })).toBe('Colours: Text: #111111');
  expect(told('most', {})).toBe('nothing filled in');
});

it('uses titles of names, and units', () => {
  expect(told('most', { runs_open: 3, members: 2 })).toBe('Runs at a time: 3 runs\nmembers: 2 runs');
});

it('never shows a picture’s bytes', () => {
  expect(told('brand', { logo: `data:image/png;base64,${'A'.repeat(4_000)}` })).toBe('Logo: a picture (PNG, 2.9 KiB)');
});
