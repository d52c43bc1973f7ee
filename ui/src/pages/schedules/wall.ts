// An instant as a wall clock in the schedule's time zone shows it.
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `2026-11-22T02:30:00+01:00` as `Sun 22 Nov 2026, 02:30 (+01:00)`; seconds only where there are some. */
export function wallClock(wall: string): string {
  const parts = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?/.exec(wall);
  if (!parts) return wall;
  const [, year, month, day, time, seconds, offset] = parts;
  const weekday = DAYS[new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDay()];
  const zone = !offset || offset === 'Z' ? 'UTC' : offset;
  return `${weekday} ${Number(day)} ${MONTHS[Number(month) - 1]} ${year}, ${time}${seconds && seconds !== '00' ? `:${seconds}` : ''} (${zone})`;
}

/** `60` as `1 h forward`. */
export function changeWords(minutes: number): string {
  const by = Math.abs(minutes);
  return `${by % 60 ? `${by} min` : `${by / 60} h`} ${minutes < 0 ? 'back' : 'forward'}`;
}
