// Times, durations, numbers and sizes as people read them.
import type { TimeMode } from './preferences.svelte';

const pad = (value: number, width = 2) => String(value).padStart(width, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `21 Nov 2026, 12:04:31`, in local time or UTC (with `UTC` behind it). */
export function absolute(ms: number, mode: 'local' | 'utc' = 'local'): string {
  const at = new Date(ms);
  if (mode === 'utc') {
    const day = `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
    return `${day}, ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())} UTC`;
  }
  const day = `${at.getDate()} ${MONTHS[at.getMonth()]} ${at.getFullYear()}`;
  return `${day}, ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** `12:04:31.250` */
export function timeOfDay(ms: number, mode: 'local' | 'utc' = 'local'): string {
  const at = new Date(ms);
  const [h, m, s] = mode === 'utc' ? [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()] : [at.getHours(), at.getMinutes(), at.getSeconds()];
  return `${pad(h)}:${pad(m)}:${pad(s)}.${pad(at.getMilliseconds(), 3)}`;
}

/** `5 min ago`, `in 2 h`, `now` */
export function relative(ms: number, now: number): string {
  const away = Math.abs(now - ms);
  // What would be rounded up to 60 s is a minute.
  const [count, unit] =
    away < 59_500 ? [Math.round(away / 1_000), 's']
    : away < 59.5 * 60_000 ? [Math.round(away / 60_000), 'min']
    : away < 47.5 * 3_600_000 ? [Math.round(away / 3_600_000), 'h']
    : away < 86_400_000 * 60 ? [Math.round(away / 86_400_000), 'days']
    : [Math.round(away / (86_400_000 * 30.4)), 'months'];
  if (unit === 's' && count < 2) return 'now';
  return ms <= now ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

/** As the person likes it. */
export function time(ms: number, mode: TimeMode, now: number): string {
  return mode === 'relative' ? relative(ms, now) : absolute(ms, mode);
}

/** `340 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h` */
export function duration(ms: number): string {
  if (ms < 0) ms = 0;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  return `${Math.floor(minutes / 1_440)} d ${Math.floor((minutes % 1_440) / 60)} h`;
}

/** `1,204`; the separator is a comma whatever the system, as everywhere in the interface. */
export const count = (value: number) => value.toLocaleString('en-GB');

/** `20+`, where a list goes on. */
export const atLeast = (value: number, more: unknown) => `${count(value)}${more ? '+' : ''}`;

/** `a, b and 12,345 more` */
export const few = (all: readonly string[], most: number) => all.slice(0, most).join(', ') + (all.length > most ? ` and ${count(all.length - most)} more` : '');

/** `1 run`, `3 runs` */
export const plural = (value: number, one: string, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** `12 B`, `3.4 KiB` */
export function bytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** The end of an id, which tells ids of one hour apart. */
export const shortId = (id: string) => (id.length > 12 ? id.slice(-8) : id);
