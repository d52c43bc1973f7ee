// Takes a stream of server-sent events apart, as the standard says.

export interface Frame {
  id: string | undefined;
  event: string;
  data: string;
}

export class Parser {
  #rest = '';
  #data: string[] = [];
  #event = '';
  #id: string | undefined;
  /** The id of the last frame that is whole: where to go on. */
  lastId: string | undefined;
  /** Milliseconds after which the server wants to see us again. */
  retry: number | undefined;

  /** What is whole in what came so far. */
  push(chunk: string): Frame[] {
    const frames: Frame[] = [];
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        this.lastId = this.#id;
        if (this.#data.length) frames.push({ id: this.lastId, event: this.#event || 'message', data: this.#data.join('\n') });
        this.#data = [];
        this.#event = '';
        continue;
      }
      if (line.startsWith(':')) continue;
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') this.#data.push(value);
      else if (field === 'event') this.#event = value;
      else if (field === 'id' && !value.includes('\0')) this.#id = value;
      else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    }
    return frames;
  }
}
