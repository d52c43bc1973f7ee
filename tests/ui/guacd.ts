// Speaks guacd's protocol as the real one does, as far as a browser needs it to draw: a screen in one colour, and what is typed.
import { createServer, type Server as Listener, type Socket } from 'node:net';

const write = (...parts: (string | number)[]) => `${parts.map((part) => `${[...String(part)].length}.${part}`).join(',')};`;

/** Whole instructions at the beginning of a text, and what is left. */
function read(text: string): { all: string[][]; rest: string } {
  const all: string[][] = [];
  let rest = text;
  for (;;) {
    const parts: string[] = [];
    let at = 0;
    for (;;) {
      const dot = rest.indexOf('.', at);
      if (dot < 0) return { all, rest };
      const end = dot + 1 + Number(rest.slice(at, dot));
      if (end >= rest.length) return { all, rest };
      parts.push(rest.slice(dot + 1, end));
      at = end + 1;
      if (rest[end] === ';') break;
    }
    all.push(parts);
    rest = rest.slice(at);
  }
}

export class Guacd {
  readonly heard: string[][] = [];
  address = '';
  #listener: Listener | undefined;
  #sockets = new Set<Socket>();

  static async start(): Promise<Guacd> {
    const guacd = new Guacd();
    guacd.#listener = createServer((socket) => guacd.#serve(socket));
    await new Promise<void>((ready) => guacd.#listener!.listen(0, '127.0.0.1', ready));
    guacd.address = `127.0.0.1:${(guacd.#listener.address() as { port: number }).port}`;
    return guacd;
  }

  #serve(socket: Socket) {
    this.#sockets.add(socket);
    let waiting = '';
    socket.on('error', () => {});
    // So that whoever hears nothing knows that it is still there.
    const alive = setInterval(() => socket.write(write('nop')), 5_000);
    socket.on('close', () => {
      clearInterval(alive);
      this.#sockets.delete(socket);
    });
    socket.on('data', (piece) => {
      const { all, rest } = read(waiting + piece.toString());
      waiting = rest;
      for (const parts of all) {
        this.heard.push(parts);
        if (parts[0] === 'select') socket.write(write('args', 'VERSION_1_5_0', 'hostname', 'port', 'password', 'read-only'));
        if (parts[0] === 'connect') {
          const drawn = [write('size', 0, 640, 480), write('rect', 0, 0, 0, 640, 480), write('cfill', 14, 0, 20, 120, 220, 255), write('sync', Date.now())];
          socket.write(write('ready', '$260d01da-779b-4ee9-afc1-c16bae885cc7') + drawn.join(''));
        }
      }
    });
  }

  stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener?.close();
  }
}
