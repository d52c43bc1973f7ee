// Loads the page again if the interface didn't begin because one of its files was lost on the way; twice at most, then it says so.
(() => {
  const KEY = 'windlass.begun';
  const WAITS = [200, 800];
  const said = 'Windlass’s interface couldn’t be loaded. Check that the server runs and that you are connected, then load the page again.';
  function look() {
    const app = document.getElementById('app');
    try {
      // The interface has put something there.
      if (app.childNodes.length) return sessionStorage.removeItem(KEY);
      const tries = Number(sessionStorage.getItem(KEY) ?? 0);
      if (tries < WAITS.length) {
        sessionStorage.setItem(KEY, String(tries + 1));
        return setTimeout(() => location.reload(), WAITS[tries]);
      }
      sessionStorage.removeItem(KEY);
    } catch {
      // Nothing can be remembered here: it could go round in circles.
    }
    if (!app.childNodes.length) app.append(said);
  }
  if (document.readyState === 'complete') look();
  else addEventListener('load', look);
})();
