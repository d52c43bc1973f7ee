// Where a node's console is, and why it was closed.
import { address, ApiProblem, asProblem, type ProblemCode, send, type Schema } from '$lib/api';

export type ConsoleKind = Schema<'NodeConsole'>;
export interface ConsoleAt {
  lab: string;
  organisation: string | undefined;
  node: string;
  kind: ConsoleKind;
}
/** `asking`: who logs in isn't known yet; `lost`: it has lost its server, and is tried again by itself. */
export type Phase = 'asking' | 'opening' | 'open' | 'lost' | 'closed';
export const kindWords: Record<ConsoleKind, string> = { shell: 'shell', serial: 'serial line', ssh: 'SSH', telnet: 'telnet', vnc: 'screen', guac: 'screen by guacd' };

const PATH = '/labs/{lab}/nodes/{node}/console';

/** The address of a console's WebSocket. */
export function socketOf(at: ConsoleAt, query: Record<string, string | number | undefined>): string {
  const url = new URL(address(PATH, { lab: at.lab, node: at.node }, { kind: at.kind, organisation: at.organisation, ...query }), location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Browsers don't tell why a WebSocket wasn't opened: asked again without one, the server says it. */
export async function refusal(at: ConsoleAt, query: Record<string, string | number | undefined>): Promise<ApiProblem | null> {
  try {
    await send('get', PATH, { path: { lab: at.lab, node: at.node }, query: { kind: at.kind, organisation: at.organisation, ...query } });
    return null;
  } catch (error) {
    const problem = asProblem(error);
    // That it is no WebSocket is what this question is wrong with.
    return /websocket|upgrade/i.test(problem.detail) ? null : problem;
  }
}

/** How somebody who has only a keyboard gets out of a console that takes all keys. */
export const LEAVES = 'Control and ] leaves it';
/** Whether this key leaves a console; nothing else hears of it then. */
export function leaves(event: KeyboardEvent): boolean {
  if (!event.ctrlKey || event.altKey || event.metaKey || event.key !== ']') return false;
  event.preventDefault();
  event.stopImmediatePropagation();
  return true;
}

/** A connection that hasn't come about by then won't: packets are lost without a word. */
export const OPENING_MS = 15_000;
/** Gives up a connection that doesn't come about: whoever waits for it hears that it is closed. */
export function givenUp(socket: WebSocket): WebSocket {
  const timer = setTimeout(() => socket.readyState === WebSocket.CONNECTING && socket.close(), OPENING_MS);
  for (const over of ['open', 'close']) socket.addEventListener(over, () => clearTimeout(timer));
  return socket;
}

/** How often a console that has lost its server tries again by itself. */
const TRIES = 5;
/** One that is open for so long has its server again. */
const STEADY_MS = 10_000;
/** The server was started anew, or a proxy let go. */
const LOST = [1001, 1006];

/** When a console that has lost its server tries again: a few times, each later than the one before. */
export class Retries {
  #made = 0;
  /** Whether it was ever open: what never was is explained, and not tried again. */
  #reached = false;
  #since: number | null = null;

  /** Somebody opens it: all begins anew. */
  begin() {
    [this.#made, this.#reached, this.#since] = [0, false, null];
  }
  opened(now = Date.now()) {
    [this.#reached, this.#since] = [true, now];
  }
  /** After how many milliseconds to try again, now that it was closed; null: not any more. */
  next(code: number, now = Date.now()): number | null {
    if (this.#since !== null && now - this.#since >= STEADY_MS) this.#made = 0;
    this.#since = null;
    if (!this.#reached || !LOST.includes(code) || this.#made >= TRIES) return null;
    this.#made += 1;
    return 500 * 2 ** this.#made;
  }
}

/** Why a console couldn't be opened, as it is said in its WebSocket. */
export function told(text: string): ApiProblem | null {
  const { error } = JSON.parse(text) as { error?: { code: ProblemCode; message: string; help?: string | null } };
  return error ? new ApiProblem(error.code, 0, error.message, error.help ?? undefined) : null;
}

/** The code with which a terminal is closed that couldn't be opened. */
export const REFUSED = 4403;
const reasons: Record<number, string> = {
  1000: 'It has ended.', 1001: 'The server stops.', 1006: 'The connection broke.', 1009: 'A message was too large.', 4401: 'Your session has ended, or you may not be here any more.', 4404: 'The node is gone.',
  4408: 'Nothing happened for a long time.', 4429: 'You took too little of what was shown.',
};
export const reasonOf = (event: { code: number; reason: string }) => event.reason || reasons[event.code] || `It was closed (${event.code}).`;

/** The close code that a status of Guacamole stands for. The server says its own as the reason; what has none comes from the browser. */
export function codeOfStatus(status: { code: number; message?: string } | null): number {
  if (!status || status.code === 0) return 1000;
  if (status.message === String(status.code)) return byStatus[status.code] ?? 4400;
  // 519: the connection broke; 514: nothing comes any more; 520: a server or proxy goes away.
  return status.code === 519 || status.code === 514 ? 1006 : status.code === 520 ? 1001 : 4400;
}
const byStatus: Record<number, number> = { 516: 4404, 519: REFUSED, 522: 4408, 523: 1001, 771: 4401, 776: 4429, 781: 1009 };
