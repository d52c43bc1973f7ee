// Signatures as senders make them, against what Python’s hmac makes of the same.
import { expect, it } from 'vitest';
import { example, headersOf, sampleBody } from './sign';

const key = `whsec_${btoa('0123456789abcdef0123456789abcdef')}`;

it('signs as Standard Webhooks says', async () => {
  const headers = await headersOf('standard', key, '{"lab":"ü"}', 'msg_1', 1_700_000_000);
  expect(headers).toMatchObject({ 'webhook-id': 'msg_1', 'webhook-timestamp': '1700000000', 'webhook-signature': 'v1,UgKHEolliY/CJkkxTKSy023sUnI0v8FtUf13SXp1Y+0=' });
});
it('signs as GitHub does', async () => {
  const headers = await headersOf('github', 'a key of theirs', '{}', 'x', 0);
  expect(headers['x-hub-signature-256']).toBe('sha256=572e2a0942e103b5b0294692309ed3c79934369810ace819a921ad3edddd6579');
});
it('refuses a key that can’t be one', async () => {
  await expect(headersOf('standard', 'plain', '{}', 'x', 0)).rejects.toThrow('whsec_');
});
it('makes up a body with the places that a template has to have', () => {
  const template = { do: 'launch', input: { lab: '${/body/lab}', by: 'by-${/body/pusher/name}', maybe: '${/body/none?}', plain: '$${/body/no}' } };
  expect(JSON.parse(sampleBody(template))).toEqual({ lab: 'demo', pusher: { name: 'demo' } });
});
it('quotes what goes into a shell', () => {
  expect(example('standard', 'http://h/x', key, `{"a":"it's"}`)).toContain(`BODY='{"a":"it'\\''s"}'`);
});
