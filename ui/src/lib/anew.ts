// The page is loaded anew because a newer server has files with other names. Not over and over: while servers of two versions answer by
// turns, the next page may be the old one again.
const KEY = 'windlass.anew';
const PAUSE_MS = 30_000;

/** Loads the page anew, unless it was just now; whether it does. */
export function anew(now = Date.now()): boolean {
  try {
    if (now - Number(sessionStorage.getItem(KEY) ?? 0) < PAUSE_MS) return false;
    sessionStorage.setItem(KEY, String(now));
  } catch {
    // What can't be remembered could go round in circles.
    return false;
  }
  location.reload();
  return true;
}
