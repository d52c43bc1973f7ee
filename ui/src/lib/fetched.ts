// Parts of the interface that are fetched when they are needed.
/** Waits before another try, in milliseconds. */
const WAITS = [200, 800];

/** A part of the interface that is fetched when it is needed. What was lost on the way (a network that changes, a server that is started
 * anew) is tried again. */
export async function fetched<T>(part: () => Promise<T>): Promise<T> {
  for (const wait of WAITS) {
    try {
      return await part();
    } catch {
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  return part();
}
