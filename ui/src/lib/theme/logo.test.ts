// Pictures are taken for what they are, and nothing that can act is.
import { expect, it } from 'vitest';
import { kindOf, LOGO_BYTES, readLogo } from './logo';

const file = (bytes: number[] | string, name = 'logo.png', type = 'image/png') => new File([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], name, { type });

it('takes PNG, JPEG and WebP by their bytes', async () => {
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2];
  expect(await readLogo(file(png, 'x.svg', 'image/svg+xml'))).toBe(`data:image/png;base64,${btoa(String.fromCharCode(...png))}`);
  expect(kindOf(new Uint8Array([0xff, 0xd8, 0xff, 0xe0]))).toBe('image/jpeg');
  expect(kindOf(new TextEncoder().encode('RIFF0000WEBPVP8 '))).toBe('image/webp');
  expect(kindOf(new TextEncoder().encode('RIFF0000WAVEfmt '))).toBeUndefined();
});
it('refuses drawings, lies and what is too large', async () => {
  await expect(readLogo(file('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'))).rejects.toThrow('no PNG, JPEG or WebP');
  await expect(readLogo(file(''))).rejects.toThrow('no PNG');
  await expect(readLogo(file(new Array(LOGO_BYTES + 1).fill(0)))).rejects.toThrow('at most 128 KiB');
});
