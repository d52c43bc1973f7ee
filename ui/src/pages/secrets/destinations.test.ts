// Where secrets may go, as people type it.
import { expect, it } from 'vitest';
import { destinationProblem, linesOf, wide } from './destinations';

it('takes one destination a line, each once', () => {
  expect(linesOf(' https://a.example/* \n\nexec:git\nexec:git\n')).toEqual(['https://a.example/*', 'exec:git']);
});
it('says what is none', () => {
  expect(destinationProblem('')).toMatch(/at least one/);
  expect(destinationProblem('https://a.example\nexec:git\nfile:/etc/app/*')).toBeUndefined();
  expect(destinationProblem('api.example.net')).toMatch(/“api.example.net” is none/);
});
it('warns of what is nearly everywhere', () => {
  expect(wide(['https://a.example/*', 'exec:*'])).toBe('exec:*');
  expect(wide(['https://*.example.net/*', 'exec:git'])).toBeUndefined();
});
