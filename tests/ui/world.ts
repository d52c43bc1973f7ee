// What stands around a server in a story: a mail server of its own, and a network in which names lead to where
// the real name server says.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { promises as dns } from 'node:dns';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd, root, target, until } from './harness';

export const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
export const has = (program: string) => PATH.split(':').some((folder) => existsSync(join(folder, program)));

/** Says loudly what can't be tried here; on CI that is a failure. */
export function skipped(test: string, reason: string) {
  process.stderr.write(`SKIPPED ${test}: ${reason}\n`);
  if (process.env.WINDLASS_SKIPS) appendFileSync(process.env.WINDLASS_SKIPS, `${test}\t${reason}\n`);
  if (['true', '1'].includes(process.env.CI ?? '')) throw new Error(`${test} was skipped on CI: ${reason}`);
}

/** Ends a program, and waits until it has. */
export async function gone(child: ChildProcess, signal: NodeJS.Signals) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** A real mail server, and what it has taken. */
export class Mail {
  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static readonly #python = join(target, 'tools/smtp/bin/python');
  static missing = () => (existsSync(Mail.#python) ? undefined : 'no mail server (`make setup` makes it)');

  static async start(): Promise<Mail> {
    const folder = mkdtempSync(join(tmpdir(), 'windlass-mail-'));
    const child = spawn(Mail.#python, ['-B', join(root, 'tests/tools/smtp/server.py'), '--mode', 'none', '--out', join(folder, 'taken')]);
    let said = '';
    child.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (said += piece.toString()));
    atEnd(async () => {
      await gone(child, 'SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    });
    const port = await until('the mail server', () => (child.exitCode === null ? /listening (\d+)/.exec(said)?.[1] : said));
    return new Mail(folder, Number(port));
  }

  get settings() {
    return `[hosts.notify.email]\nhost = "localhost"\nport = ${this.port}\ntls = "none"\nfrom = "Windlass <windlass@platform.test>"\n`;
  }

  /** The newest letter to somebody in which this stands. */
  async letter(to: string, pattern: RegExp): Promise<RegExpExecArray> {
    return until(`a letter to ${to}`, () => {
      const file = join(this.folder, 'taken');
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
      const own = lines.filter(Boolean).map((line) => JSON.parse(line) as { to: string[] }).filter((one) => one.to.includes(to));
      return own.reverse().map((one) => pattern.exec(JSON.stringify(one))).find((found) => found !== null);
    });
  }
}

/** The world's network as browsers see it, a proxy: it asks the real name server where a name is, and goes there. The balancers of the
 * simulated provider carry nothing: what is at their addresses is named with `balances`, and has TLS as a Sovereign's door has. */
export class Street {
  readonly asked: { name: string; address: string }[] = [];
  readonly #balancers = new Map<string, string>();
  readonly #resolver = new dns.Resolver({ timeout: 2_000, tries: 3 });
  readonly #plain = http.createServer((request, response) => void this.#carry(request, response));
  readonly #secure: https.Server;

  private constructor(nameServer: string, tls: https.ServerOptions) {
    this.#resolver.setServers([nameServer]);
    this.#secure = https.createServer(tls, (request, response) => void this.#carry(request, response));
    this.#plain.on('connect', (request, socket, head) => void this.#connect(request.url!, socket as net.Socket, head));
  }

  static async open(nameServer: string): Promise<Street> {
    const folder = mkdtempSync(join(tmpdir(), 'windlass-street-'));
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=the street'];
    execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const street = new Street(nameServer, { key: readFileSync(key), cert: readFileSync(cert) });
    rmSync(folder, { recursive: true });
    const all = [street.#plain, street.#secure];
    for (const one of all) {
      await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
      atEnd(() => {
        one.closeAllConnections();
        one.close();
      });
    }
    return street;
  }

  get proxy() {
    return `http://127.0.0.1:${portOf(this.#plain)}`;
  }

  /** What a balancer carries to. */
  balances(address: string, to: string) {
    this.#balancers.set(address, to);
  }

  async resolve(name: string): Promise<string> {
    const [address] = await this.#resolver.resolve4(name);
    this.asked.push({ name, address: address! });
    return address!;
  }

  /** What browsers say before they speak TLS. */
  async #connect(to: string, socket: net.Socket, head: Buffer) {
    socket.on('error', () => socket.destroy());
    try {
      const [name, port] = to.split(':');
      const address = await this.resolve(name!);
      const door = this.#balancers.has(address) ? { host: '127.0.0.1', port: portOf(this.#secure) } : { host: address, port: Number(port) };
      const way = net.connect(door, () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        way.write(head);
        way.pipe(socket).pipe(way);
      });
      way.on('error', () => socket.destroy());
    } catch {
      socket.end('HTTP/1.1 502 No such name\r\n\r\n');
    }
  }

  async #carry(request: http.IncomingMessage, response: http.ServerResponse) {
    try {
      const secure = 'encrypted' in request.socket;
      const url = new URL(request.url!, `http://${request.headers.host}`);
      const address = await this.resolve(url.hostname);
      const [host, port] = (this.#balancers.get(address) ?? `${address}:${url.port || '80'}`).split(':');
      const headers = { ...request.headers, ...(secure ? { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7' } : {}) };
      const sent = http.request({ host, port, method: request.method, path: url.pathname + url.search, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.rawHeaders);
        answer.pipe(response);
      });
      sent.on('error', (error) => response.destroy(error));
      response.on('close', () => sent.destroy());
      request.pipe(sent);
    } catch (error) {
      response.writeHead(502, { 'content-type': 'text/plain' }).end(String(error));
    }
  }
}

const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;
