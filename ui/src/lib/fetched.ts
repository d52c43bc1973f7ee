// Parts of the interface that are fetched when they are needed: pages, editors, terminals.
import { ApiProblem, asProblem, unreachable } from './api/problem';
import { Missing } from './preload';
import { present } from './present';

/** A part of the interface: `fetched(() => import('./Canvas.svelte'))`. What was lost on the way is tried again (preload.ts); why it can't be
 * had is an ApiProblem. */
export async function fetched<T>(part: () => Promise<T>): Promise<T> {
  try {
    return await part();
  } catch (error) {
    throw await why(error);
  }
}

/** What browsers say of a module that didn't come. */
const LOST = /dynamically imported module|importing a module script/i;

async function why(error: unknown): Promise<ApiProblem> {
  const server = await present();
  if (server === 'none') return unreachable();
  // A newer server has files with other names, which the page that names them knows.
  if (server === 'another') {
    const help = 'Load the page again: what it needs has other names now.';
    return new ApiProblem('outdated', 0, 'The server was upgraded since this page was opened.', help);
  }
  if (error instanceof Missing || (error instanceof Error && LOST.test(error.message))) {
    const help = 'Load the page again. If that doesn’t help, something between you and the server, a proxy or a blocker, keeps it back.';
    return new ApiProblem('unreachable', 0, 'A part of this page couldn’t be fetched.', help);
  }
  return asProblem(error);
}
