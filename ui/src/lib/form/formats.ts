// Formats of text that JSON Schema names: what a person is told when text doesn't look like it. The server takes formats as
// hints, so what is said here warns and doesn't hold a launch back.
import { isName } from './secrets';

interface Format {
  /** Whether text is one. */
  test: (text: string) => boolean;
  /** What it should be: `Has to be …` */
  words: string;
  example: string;
}

const ipv4 = (text: string) => /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every((part) => Number(part) < 256 && String(Number(part)) === part);

function ipv6(text: string): boolean {
  let rest = text;
  if (rest.includes('.')) {
    const last = rest.slice(rest.lastIndexOf(':') + 1);
    if (!ipv4(last)) return false;
    rest = `${rest.slice(0, rest.lastIndexOf(':') + 1)}0:0`;
  }
  const halves = rest.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

const days = (year: number, month: number) => new Date(Date.UTC(year, month, 0)).getUTCDate();
function date(text: string): boolean {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!found) return false;
  const [year, month, day] = found.slice(1).map(Number) as [number, number, number];
  return month >= 1 && month <= 12 && day >= 1 && day <= days(year, month);
}
const time = (text: string) => /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i.test(text);
const hostname = (text: string) => text.length <= 253 && /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i.test(text);
const uri = (text: string) => /^[a-z][a-z0-9+.-]*:[^\s<>"{}|\\^`]+$/i.test(text) && (!/^https?:/i.test(text) || /^https?:\/\/[^/]/i.test(text));
const pattern = (text: string) => {
  try {
    return Boolean(new RegExp(text, 'u'));
  } catch {
    return false;
  }
};

export const formats: Record<string, Format> = {
  email: { test: (text) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text), words: 'an e-mail address', example: 'anna@example.net' },
  'idn-email': { test: (text) => /^[^\s@]+@[^\s@]+$/.test(text), words: 'an e-mail address', example: 'anna@example.net' },
  uri: { test: uri, words: 'an address with its scheme', example: 'https://example.net/path' },
  iri: { test: uri, words: 'an address with its scheme', example: 'https://example.net/path' },
  'uri-reference': { test: (text) => !/[\s<>"{}|\\^`]/.test(text), words: 'an address or a path', example: '/path' },
  ipv4: { test: ipv4, words: 'an IPv4 address', example: '192.0.2.10' },
  ipv6: { test: ipv6, words: 'an IPv6 address', example: '2001:db8::10' },
  hostname: { test: hostname, words: 'a host’s name', example: 'host.example.net' },
  'idn-hostname': { test: (text) => !/\s/.test(text), words: 'a host’s name', example: 'host.example.net' },
  uuid: { test: (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text), words: 'a UUID', example: '0f8fad5b-d9cb-469f-a165-70867728950e' },
  date: { test: date, words: 'a date', example: '2026-11-21' },
  time: { test: time, words: 'a time with its zone', example: '13:45:00Z' },
  'date-time': { test: (text) => date(text.slice(0, 10)) && /^t$/i.test(text[10] ?? '') && time(text.slice(11)), words: 'a date and a time with its zone', example: '2026-11-21T13:45:00Z' },
  duration: { test: (text) => /^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$/.test(text), words: 'a duration', example: 'PT1H30M' },
  regex: { test: pattern, words: 'a regular expression', example: '^[a-z]+$' },
  'json-pointer': { test: (text) => text === '' || /^(\/([^~/]|~[01])*)+$/.test(text), words: 'a JSON Pointer', example: '/name' },
  password: { test: isName, words: 'the name of a secret', example: 'acme/dns' },
};

/** What is wrong with text of this format; null if nothing is, or nobody knows the format. */
export function misformed(format: string, text: string): string | null {
  const known = formats[format];
  return !known || known.test(text) ? null : `This doesn’t look like ${known.words}, for example ${known.example}.`;
}

const pad = (value: number) => String(value).padStart(2, '0');

/** A moment as a browser's field wants it: local, without a zone. */
export function toLocal(moment: string): string {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return '';
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** A moment from a browser's field: UTC. */
export function fromLocal(text: string): string | undefined {
  const at = new Date(text);
  return text === '' || Number.isNaN(at.getTime()) ? undefined : at.toISOString().replace('.000Z', 'Z');
}
