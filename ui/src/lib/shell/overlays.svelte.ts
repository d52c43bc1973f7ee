// What lies over the page and can be opened from several places.

class Overlays {
  /** The command palette. */
  palette = $state(false);
  /** The list of keyboard shortcuts. */
  help = $state(false);
}

export const overlays = new Overlays();
