// A Docker daemon of a test file's own: its socket, data and containers are in a folder that goes with it. And a small machine to boot.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { atEnd, root, target, until } from './harness';
import { gone, has, PATH } from './world';

const APPLETS = ['sh', 'sleep', 'ping', 'ip', 'cat', 'echo', 'ls', 'ps', 'true', 'false', 'test', 'touch', 'rm'];

/** A busybox that needs no libraries: the one of the machine, or the one that `.ci/setup` has unpacked. */
const busybox = () =>
  ['bin/busybox', 'usr/bin/busybox'].map((path) => join(target, 'tools/busybox-static/package', path)).concat('/usr/bin/busybox', '/bin/busybox')
    .find((path) => existsSync(path) && !readFileSync(path).includes('/lib64/ld-linux'));

/** A Docker daemon with a socket and a data folder of its own. */
export class Docker {
  private constructor(
    private readonly folder: string,
    private readonly process: ChildProcess,
  ) {}

  /** An image with busybox, whose program is named by each container. */
  makeImage(name: string) {
    const files = join(this.folder, 'rootfs');
    mkdirSync(join(files, 'bin'), { recursive: true });
    mkdirSync(join(files, 'tmp'));
    cpSync(busybox()!, join(files, 'bin/busybox'));
    for (const applet of APPLETS) symlinkSync('busybox', join(files, 'bin', applet));
    execFileSync('tar', ['-C', files, '-cf', `${files}.tar`, '.']);
    this.run('import', `${files}.tar`, name);
  }

  /** Why there can't be one here. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return 'a Docker daemon needs root';
    const program = ['dockerd', 'docker', 'tar'].find((one) => !has(one));
    if (program) return `no ${program} (Debian: docker.io)`;
    if (!busybox()) return 'no static busybox (Debian: busybox-static)';
    return readdirSync('/sys/fs/cgroup').length === 0 ? 'no control groups are mounted' : undefined;
  }

  static async start(): Promise<Docker> {
    const folder = mkdtempSync(join(tmpdir(), 'wldk-'));
    writeFileSync(join(folder, 'daemon.json'), '{}');
    // Overlays can't be laid over overlays, which is what a container's root often is.
    for (const driver of ['overlay2', 'vfs']) {
      const at = (name: string) => join(folder, name);
      const child = spawn('dockerd', [
        '--config-file', at('daemon.json'), '--host', `unix://${at('docker.sock')}`, '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid'),
        // Neither the machine's firewall nor its links are touched.
        '--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-masq=false', '--ip-forward=false', '--storage-driver', driver,
      ], { env: { ...process.env, PATH }, stdio: 'ignore' });
      const docker = new Docker(folder, child);
      await until('dockerd', () => child.exitCode !== null || docker.answers(), 60);
      if (child.exitCode !== null) continue;
      atEnd(() => docker.stop());
      return docker;
    }
    throw new Error('dockerd doesn’t start');
  }

  get socket() {
    return join(this.folder, 'docker.sock');
  }

  run(...args: string[]): string {
    return execFileSync('docker', ['--host', `unix://${this.socket}`, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }).toString().trim();
  }

  answers(): boolean {
    try {
      return this.run('version') !== '';
    } catch {
      return false;
    }
  }

  /** An image of a web server with these pages. */
  makeWebImage(name: string, pages: Record<string, string>) {
    const folder = join(this.folder, 'image');
    mkdirSync(join(folder, 'bin'), { recursive: true });
    cpSync(busybox()!, join(folder, 'bin/busybox'));
    symlinkSync('busybox', join(folder, 'bin/httpd'));
    for (const [path, text] of Object.entries(pages)) {
      mkdirSync(dirname(join(folder, 'srv', path)), { recursive: true });
      writeFileSync(join(folder, 'srv', path), text);
    }
    execFileSync('tar', ['-C', folder, '-cf', `${folder}.tar`, '.']);
    this.run('import', '--change', 'CMD ["httpd", "-f", "-p", "80", "-h", "/srv"]', `${folder}.tar`, name);
  }

  /** Names that Windlass has given to the network namespaces of these containers go, or they would stay for ever. */
  #unpin(containers: string[]) {
    if (!containers.length || !existsSync('/run/netns')) return;
    const pids = this.run('inspect', '--format', '{{.State.Pid}}', ...containers).split(/\s+/).filter((pid) => pid !== '0');
    const theirs = new Set(pids.map((pid) => statSync(`/proc/${pid}/ns/net`).ino));
    for (const name of readdirSync('/run/netns')) {
      if (name.startsWith('nve') && theirs.has(statSync(join('/run/netns', name)).ino)) execFileSync('ip', ['netns', 'delete', name], { env: { ...process.env, PATH } });
    }
  }

  /** Removes all that is in it, and stops it. */
  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const all = this.run('ps', '--all', '--quiet').split(/\s+/).filter(Boolean);
    this.#unpin(all);
    if (all.length) this.run('rm', '--force', '--volumes', ...all);
    this.run('network', 'prune', '--force');
    await gone(this.process, 'SIGTERM');
    const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '');
    for (const path of mounts.filter((one) => one.startsWith(this.folder)).reverse()) execFileSync('umount', ['--lazy', path]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The folder of the small guest that tests boot, made once: `vmlinuz`, `initrd.gz`. */
export function guest(): string {
  const folder = join(target, 'tools/guest');
  mkdirSync(folder, { recursive: true });
  execFileSync(join(root, 'tests/tools/guest/build'), [folder], { stdio: 'ignore' });
  return folder;
}
