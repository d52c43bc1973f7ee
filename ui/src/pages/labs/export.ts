// The picture as a file: SVG, or PNG made of it.
import { lineOf, middleOf } from './geometry';
import { SIZE } from './layout';
import type { Live } from './live';
import { impairmentWords, type Scene } from './scene';

const escaped = (text: string) => text.replace(/[&<>"]/g, (one) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[one]!);
const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const lines: Record<string, string> = { up: '#167240', down: '#545b69', missing: '#c0262d', changed: '#8a5a00', new: '#5f6675', unknown: '#545b69' };
const dashes: Record<string, string> = { down: '9 6', missing: '3 5', new: '2 5' };

/** The whole picture, in the light colours: it is printed and put into documents. */
export function svgOf(scene: Scene, live: Live, title: string): { text: string; width: number; height: number } {
  const xs = scene.things.map((one) => one.position.x);
  const ys = scene.things.map((one) => one.position.y);
  const [left, top] = [Math.min(...xs, 0) - 40, Math.min(...ys, 0) - 40];
  const width = Math.max(...xs, 0) + SIZE.width + 40 - left;
  const height = Math.max(...ys, 0) + SIZE.height + 40 - top;
  const parts: string[] = [];
  for (const link of scene.links) {
    const [a, b] = link.ends.map((end) => middleOf(scene.byId.get(end.thing)!.position)) as [never, never];
    const said = [impairmentWords(link.impairment), link.state === 'down' ? 'down' : ''].filter(Boolean).join(', ');
    const line = lineOf(a, b, link.nth, link.of, link.ends[0].thing > link.ends[1].thing, [link.ends[0].port, link.ends[1].port], said);
    const state = live.links.get(link.id)?.state ?? 'new';
    parts.push(`<path d="${line.path}" fill="none" stroke="${lines[state]}" stroke-width="2"${dashes[state] ? ` stroke-dasharray="${dashes[state]}"` : ''}/>`);
    const text = (at: { x: number; y: number }, words: string, size: number) => parts.push(`<text x="${at.x.toFixed(1)}" y="${at.y.toFixed(1)}" font-size="${size}" text-anchor="middle" fill="#4a5160" stroke="#ffffff" stroke-width="4" paint-order="stroke">${escaped(words)}</text>`);
    if (said) text({ x: line.said.x, y: line.said.y + 3 }, said, 11);
    link.ends.forEach((end, at) => end.port && text({ x: line.ends[at as 0 | 1].x, y: line.ends[at as 0 | 1].y + 3 }, end.port, 10));
  }
  for (const thing of scene.things) {
    const { x, y } = thing.position;
    const state = live.nodes.get(thing.id)?.state ?? 'new';
    const colour = { running: '#167240', missing: '#c0262d', unhealthy: '#c0262d', stopped: '#8a5a00' }[state as string] ?? '#8a909d';
    parts.push(
      `<rect x="${x}" y="${y}" width="${SIZE.width}" height="${SIZE.height}" rx="${thing.type === 'network' ? 26 : 10}" fill="${thing.type === 'network' ? '#f1f2f5' : '#ffffff'}" stroke="#8a909d"${state === 'new' ? ' stroke-dasharray="4 3"' : ''}/>`,
      `<text x="${x + SIZE.width / 2}" y="${y + 22}" font-size="13" font-weight="600" text-anchor="middle" fill="#171a21">${escaped(cut(thing.name, 18))}</text>`,
      `<text x="${x + SIZE.width / 2}" y="${y + 38}" font-size="11" text-anchor="middle" fill="#4a5160">${escaped(cut(thing.detail || thing.kind, 24))}</text>`,
      `<circle cx="${x + SIZE.width - 12}" cy="${y + 12}" r="4" fill="${state === 'new' ? 'none' : colour}" stroke="${colour}"/>`,
    );
  }
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${left} ${top} ${width} ${height}" font-family="system-ui, sans-serif"><title>${escaped(title)}</title><rect x="${left}" y="${top}" width="${width}" height="${height}" fill="#ffffff"/>${parts.join('')}</svg>\n`;
  return { text, width, height };
}

export function save(name: string, content: Blob) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Twice as fine as a screen, and never larger than browsers draw. */
export async function pngOf(svg: { text: string; width: number; height: number }): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg.text)}`;
  await image.decode();
  const scale = Math.min(2, 8_000 / Math.max(svg.width, svg.height));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [Math.round(svg.width * scale), Math.round(svg.height * scale)];
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The picture can’t be made: it is too large.'))), 'image/png'));
}
