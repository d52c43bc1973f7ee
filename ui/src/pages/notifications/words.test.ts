// Notifications in words.
import { expect, it } from 'vitest';
import { listed, quietInWords, severityOf, wayOf } from './words';

it('says when people aren’t disturbed', () => {
  expect(quietInWords({ from: '22:00', to: '07:00', time_zone: 'Europe/Berlin', days: ['fri', 'sat'], breaks_through: 'critical' })).toBe('22:00 to 07:00 (Europe/Berlin), nights that begin Fri, Sat; critical comes through');
  expect(quietInWords({ from: '22:00', to: '07:00', time_zone: 'UTC' })).toBe('22:00 to 07:00 (UTC)');
});

it('reads lists as people type them, and knows every way', () => {
  expect(listed('a@x.test, b@x.test\n a@x.test;')).toEqual(['a@x.test', 'b@x.test']);
  expect(wayOf('email').mail).toBe(true);
  expect(wayOf('discord').secret).toBeUndefined();
  expect(severityOf('critical').tone).toBe('bad');
});
