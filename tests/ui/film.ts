// Films of the interface for the documentation: animated WebP, put together here from pictures that Chromium has written.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Page } from 'playwright-core';

const SCALE = 0.7;
const QUALITY = 60;

interface Frame {
  /** Its chunks, without the file's header. */
  image: Buffer;
  ms: number;
}

export class Film {
  readonly #frames: Frame[] = [];
  #size = { width: 0, height: 0 };

  get frames() {
    return this.#frames.length;
  }

  /** Shows what is in sight, for so long. */
  async take(page: Page, ms: number) {
    const { width, height } = page.viewportSize()!;
    this.#size = { width: Math.round(width * SCALE), height: Math.round(height * SCALE) };
    const session = await page.context().newCDPSession(page);
    const { data } = (await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY, clip: { x: 0, y: 0, width, height, scale: SCALE } })) as { data: string };
    await session.detach();
    this.#add(imageOf(Buffer.from(data, 'base64')), ms);
  }

  /** Shows what happens until something has, a picture each `ms`. */
  async follow(page: Page, ms: number, until: Promise<unknown>) {
    let over = false;
    const end = until.finally(() => (over = true));
    while (!over) await Promise.all([this.take(page, ms), new Promise((resolve) => setTimeout(resolve, ms))]);
    await end;
  }

  #add(image: Buffer, ms: number) {
    const last = this.#frames.at(-1);
    if (last?.image.equals(image)) last.ms += ms;
    else this.#frames.push({ image, ms });
  }

  write(file: string): number {
    const { width, height } = this.#size;
    const header = Buffer.concat([Buffer.from([0b10, 0, 0, 0]), u24(width - 1), u24(height - 1)]);
    const frames = this.#frames.map(({ image, ms }) =>
      // At the corner, over what was there before, not blended with it.
      chunk('ANMF', Buffer.concat([u24(0), u24(0), u24(width - 1), u24(height - 1), u24(ms), Buffer.from([0b10]), image])),
    );
    const body = Buffer.concat([Buffer.from('WEBP'), chunk('VP8X', header), chunk('ANIM', Buffer.alloc(6)), ...frames]);
    const film = chunk('RIFF', body);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, film);
    return film.length;
  }
}

/** The chunks of a still picture that hold the image. */
function imageOf(file: Buffer): Buffer {
  const found: Buffer[] = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const length = file.readUInt32LE(at + 4);
    const whole = 8 + length + (length % 2);
    if (['VP8 ', 'VP8L', 'ALPH'].includes(file.toString('latin1', at, at + 4))) found.push(file.subarray(at, at + whole));
    at += whole;
  }
  if (!found.length) throw new Error('there is no image in the picture');
  return Buffer.concat(found);
}

function chunk(name: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([Buffer.from(name, 'latin1'), length, body, Buffer.alloc(body.length % 2)]);
}

const u24 = (value: number) => Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255]);
