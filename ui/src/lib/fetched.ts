// Parts of the interface that are fetched when they are needed.
/** Waits before another try, in milliseconds. */
const WAITS = [200, 800];

/** A part of the interface that is fetched when it is needed. Browsers give up what they fetch while an interface of the machine comes or
 * goes, as with every lab that is deployed on it: so it is tried again. */
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
