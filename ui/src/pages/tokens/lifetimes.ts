// How long a token may live, and how its end reads.
const DAY = 24 * 3_600_000;

export const lifetimes: readonly { value: string; label: string; days: number }[] = [
  { value: '1', label: 'A day', days: 1 },
  { value: '7', label: 'A week', days: 7 },
  { value: '30', label: '30 days', days: 30 },
  { value: '90', label: '90 days', days: 90 },
  { value: '365', label: 'A year, the longest there is', days: 365 },
];

/** When a token of so many days ends; a day that is typed counts until its last minute. */
export function endOf(choice: string, day: string, now: number): number | null {
  if (choice !== 'day') return now + Number(choice) * DAY;
  const end = new Date(`${day}T23:59:59`).getTime();
  return Number.isNaN(end) ? null : end;
}

/** `soon` in its last three days. */
export function stateOf(expires: number | null | undefined, now: number): 'fine' | 'soon' | 'over' {
  if (expires == null) return 'fine';
  if (expires <= now) return 'over';
  return expires - now < 3 * DAY ? 'soon' : 'fine';
}

/** How a token is used, ready to be copied. */
export const example = (origin: string, token: string) => `curl -H 'Authorization: Bearer ${token}' ${origin}/api/v1/session`;
