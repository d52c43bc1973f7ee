// A logo as the server takes it: a small picture that can't act, told by its bytes and not by its name.
export const LOGO_BYTES = 128 * 1024;
export const LOGO_KINDS = ['image/png', 'image/jpeg', 'image/webp'] as const;

const BEGINS: Record<(typeof LOGO_KINDS)[number], readonly number[]> = {
  'image/png': [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  'image/jpeg': [0xff, 0xd8, 0xff],
  'image/webp': [0x52, 0x49, 0x46, 0x46],
};

/** What kind of picture these bytes are; undefined: none that is taken. */
export const kindOf = (data: Uint8Array) =>
  LOGO_KINDS.find((kind) => BEGINS[kind].every((byte, at) => data[at] === byte) && (kind !== 'image/webp' || String.fromCharCode(...data.slice(8, 12)) === 'WEBP'));

/** The file as a `data:` address; an error says in words why it isn't taken. */
export async function readLogo(file: File): Promise<string> {
  if (file.size > LOGO_BYTES) throw new Error(`The picture has ${Math.ceil(file.size / 1024)} KiB; a logo has at most ${LOGO_BYTES / 1024} KiB.`);
  const data = new Uint8Array(await file.arrayBuffer());
  const kind = kindOf(data);
  if (!kind) throw new Error('This is no PNG, JPEG or WebP picture, whatever its name says.');
  let text = '';
  for (let at = 0; at < data.length; at += 8_192) text += String.fromCharCode(...data.subarray(at, at + 8_192));
  return `data:${kind};base64,${btoa(text)}`;
}
