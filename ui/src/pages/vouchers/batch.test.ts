// What an export says is read as it was written, whatever stands in a description.
import { expect, it } from 'vitest';
import { codesOf, fields, redeemed, stateOf, type Voucher } from './batch';

it('reads the fields of a line', () => {
  expect(fields('v_1,AAAA,500,EUR,1,0,,true,"a ""b"", c"')).toEqual(['v_1', 'AAAA', '500', 'EUR', '1', '0', '', 'true', 'a "b", c']);
  expect(fields('')).toEqual(['']);
});
it('finds codes by voucher, with their signed forms', () => {
  const head = 'voucher,code,credit,currency,max_redemptions,times_redeemed,expires_at_ms,active,description';
  expect(codesOf(`${head}\r\nv_1,AAAA-BBBB,500,EUR,1,0,,true,"x"\r\nv_2,CCCC-DDDD,500,EUR,1,0,,true,"y, z"\r\n`)).toEqual(new Map([['v_1', { code: 'AAAA-BBBB' }], ['v_2', { code: 'CCCC-DDDD' }]]));
  expect(codesOf(`${head},signed\nv_1,AAAA,500,EUR,1,0,1,true,"x",wv1.a.b\n`).get('v_1')).toEqual({ code: 'AAAA', signed: 'wv1.a.b' });
  expect(codesOf('').size).toBe(0);
});
it('says how a voucher stands', () => {
  const one = (more: Partial<Voucher>) => ({ open: false, max_redemptions: 2, times_redeemed: 1, ...more }) as Voucher;
  expect([stateOf(one({ open: true })).word, stateOf(one({ closed: 'revoked' })).word, stateOf(one({ closed: 'expired' })).word, stateOf(one({ closed: 'used_up' })).word]).toEqual(['Open', 'Taken back', 'Expired', 'Used up']);
  expect([redeemed(one({})), redeemed(one({ max_redemptions: 0 }))]).toEqual(['1 of 2', '1, without limit']);
});
