// The present, to the second, for everything that shows how long ago or how long still. One timer for the whole page.

class Clock {
  now = $state(Date.now());
  constructor() {
    // Held on to: in tests the timer outlives what made it.
    const page = document;
    setInterval(() => {
      if (page.visibilityState !== 'hidden') this.now = Date.now();
    }, 1_000);
    page.addEventListener('visibilitychange', () => (this.now = Date.now()));
  }
}

export const clock = new Clock();
