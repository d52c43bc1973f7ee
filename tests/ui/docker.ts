// A Docker daemon of a test file's own, with an image of busybox: its socket, data and containers are in a folder that goes with it.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { root, until } from './harness';

/** An image with busybox, whose program is named by each container. */
export const IMAGE = 'windlass-test/busybox:1';
const APPLETS = ['sh', 'sleep', 'ping', 'ip', 'cat', 'echo', 'ls', 'ps', 'true', 'false', 'test', 'touch', 'rm'];

export class Docker {
  readonly folder = mkdtempSync(join(tmpdir(), 'wldk'));
  readonly socket = join(this.folder, 'docker.sock');
  #daemon: ChildProcess | undefined;

  /** Starts one. */
  static async start(): Promise<Docker> {
    const docker = new Docker();
    writeFileSync(join(docker.folder, 'daemon.json'), '{}');
    // Overlays can't be laid over overlays, which is what a container's root often is.
    for (const driver of ['overlay2', 'vfs']) if (await docker.#try(driver)) break;
    docker.run('version');
    docker.#image();
    return docker;
  }

  async #try(driver: string): Promise<boolean> {
    const path = (name: string) => join(this.folder, name);
    const daemon = spawn('dockerd', [
      '--config-file', path('daemon.json'), '--host', `unix://${this.socket}`, '--data-root', path('data'), '--exec-root', path('exec'), '--pidfile', path('pid'),
      // Neither the machine's firewall nor its links are touched.
      '--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-masq=false', '--ip-forward=false', '--storage-driver', driver,
    ], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    this.#daemon = daemon;
    let failed = false;
    daemon.on('error', () => (failed = true));
    await until('dockerd', () => {
      if (failed || daemon.exitCode !== null) return true;
      try {
        this.run('version');
        return true;
      } catch {
        return false;
      }
    }, 60);
    return !failed && daemon.exitCode === null;
  }

  /** Runs `docker`. */
  run(...given: string[]): string {
    return execFileSync('docker', ['--host', `unix://${this.socket}`, ...given], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  #image() {
    const [files, archive] = [join(this.folder, 'rootfs'), join(this.folder, 'rootfs.tar')];
    mkdirSync(join(files, 'bin'), { recursive: true });
    mkdirSync(join(files, 'tmp'));
    copyFileSync('/usr/bin/busybox', join(files, 'bin/busybox'));
    for (const applet of APPLETS) symlinkSync('busybox', join(files, 'bin', applet));
    execFileSync('tar', ['-C', files, '-cf', archive, '.']);
    this.run('import', archive, IMAGE);
  }

  /** Removes all that is in it, and stops it. */
  async stop() {
    const all = this.run('ps', '--all', '--quiet').split(/\s+/).filter(Boolean);
    if (all.length) this.run('rm', '--force', '--volumes', ...all);
    const daemon = this.#daemon!;
    const gone = new Promise((done) => daemon.once('exit', done));
    daemon.kill('SIGTERM');
    await gone;
    // A daemon leaves its mounts where it was killed.
    for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
      const at = line.split(' ')[1];
      if (at?.startsWith(`${this.folder}/`)) execFileSync('umount', ['--lazy', at]);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The folder of the small guest that tests boot, made once: `vmlinuz`, `initrd.gz`. */
export function guest(): string {
  const folder = join(resolve(root, process.env.CARGO_TARGET_DIR ?? 'target'), 'tools/guest');
  mkdirSync(folder, { recursive: true });
  execFileSync(join(root, 'tests/tools/guest/build'), [folder], { stdio: 'ignore' });
  return folder;
}
