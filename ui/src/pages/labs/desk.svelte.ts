// A lab that is open: its document as text, what it draws, what is wrong with it, what of it is deployed, and what is there now.
import { api, asProblem, feed, onceKey, type ApiProblem, type Permission, type Schema } from '$lib/api';
import { router } from '$lib/router.svelte';
import { session } from '$lib/session.svelte';
import { endsIn, runsChanged } from '../manage/runsChanged';
import { Keeper } from './keeper.svelte';
import { Draft, placeOf, read, valueOf, type Entry, type Read, type Values } from './document';
import { digest, liveOf, withoutLink, type Actual, type Difference, type Plan } from './live';
import { endOf, freePort, linkId, sceneOf, type Link, type Point, type Scene, type Thing } from './scene';

export interface Fault {
  code: string;
  message: string;
  line: number;
  column: number;
}
type LabView = Schema<'LabView'>;
type Drawing = Schema<'DrawingView'>;
const CHECK_MS = 200;
const LOOK_MS = 5_000;
/** After the end of a lab's run. */
const LAB_MS = 200;
const UNDO = 200;

/** What is known when the page opens. */
export interface Opened {
  view: LabView | null;
  drawing: Drawing | null;
  /** The document as YAML, where nothing is drawn. */
  yaml: string;
}

const missing = (error: unknown) => {
  if (asProblem(error).code === 'not_found') return null;
  throw error;
};

export async function open(lab: string, organisation: string | undefined, signal: AbortSignal): Promise<Opened> {
  const query = { organisation };
  const [view, drawing] = await Promise.all([
    api.get('/labs/{lab}', { path: { lab }, query, signal }).catch(missing),
    api.get('/labs/{lab}/drawing', { path: { lab }, query, signal }).catch(missing),
  ]);
  let yaml = '';
  if (view?.document && !drawing) yaml = (await api.post('/lab-documents/check', { body: { document: view.document }, signal }))!.yaml;
  return { view: view ?? null, drawing: drawing ?? null, yaml };
}

export class Desk {
  readonly lab: string;
  readonly organisation: string;
  text = $state('');
  document = $state.raw<Read>(read(''));
  scene = $state.raw<Scene>({ things: [], links: [], byId: new Map(), linkById: new Map() });
  faults = $state.raw<Fault[]>([]);
  /** In its normal form; null: it isn't right. */
  normal = $state.raw<unknown>(null);
  size = $state.raw<{ nodes?: number; cpus?: number; memory_mb?: number } | null>(null);
  view = $state.raw<LabView | null>(null);
  trouble = $state.raw<ApiProblem | null>(null);
  readonly keeper: Keeper;
  /** What is chosen: ids of things and links. */
  chosen = $state.raw<readonly string[]>([]);
  /** Said aloud after each change. */
  said = $state('');
  /** The text whose check has come back. */
  #checked = $state('');
  #undo: string[] = $state.raw([]);
  #redo: string[] = $state.raw([]);
  /** The deployed document that this was drawn from, as far as whoever draws has seen it. */
  #base = $state('');
  /** What is being deployed from here. */
  #deploying: readonly string[] = $state.raw([]);
  #timers: Record<'check' | 'look', ReturnType<typeof setTimeout> | undefined> = { check: undefined, look: undefined };
  #checks = 0;
  #looking: Promise<void> | null = null;
  #again = false;
  #ended = false;

  constructor(lab: string, organisation: string | undefined, opened: Opened) {
    this.lab = lab;
    this.organisation = opened.view?.organisation ?? opened.drawing?.organisation ?? organisation ?? '';
    this.view = opened.view;
    this.#base = opened.drawing?.base ?? (opened.view?.document ? digest(opened.view.document) : '');
    this.text = opened.drawing?.text ?? opened.yaml;
    this.keeper = new Keeper(lab, this.query, opened.drawing, () => ({ text: this.text, base: this.#base }));
    this.#draw();
    void this.#check();
  }

  readonly deployed = $derived.by(() => (this.view?.document ? sceneOf(read(JSON.stringify(this.view.document))) : null));
  readonly plan = $derived(this.view?.plan as Plan | null | undefined);
  readonly actual = $derived(this.view?.actual as Actual | null | undefined);
  readonly live = $derived(liveOf(this.scene, this.deployed, this.actual ?? null, this.plan ?? null));
  readonly isDeployed = $derived(!!this.view?.document);
  readonly mayEdit = $derived.by(() => this.#may('launch'));
  readonly mayConsole = $derived.by(() => this.#may('watch_consoles'));
  readonly mayListen = $derived.by(() => this.#may('use_consoles'));
  /** Whether what is drawn isn't what is deployed. */
  readonly edited = $derived(this.isDeployed && this.normal !== null && JSON.stringify(this.normal) !== JSON.stringify(this.view!.document));
  /** Somebody has deployed another document since this was drawn. */
  readonly elsewhere = $derived.by(() => this.edited && ![this.#base, ...this.#deploying].includes(digest(this.view!.document)));
  readonly canUndo = $derived(this.#undo.length > 0);
  readonly canRedo = $derived(this.#redo.length > 0);
  readonly pending = $derived(this.#checked !== this.text);
  get query() {
    return { organisation: this.organisation || undefined };
  }
  #may(permission: Permission): boolean {
    return session.can(permission, { organisation: this.organisation || undefined, workflow: `lab/${this.lab}` });
  }

  // --- The document ---

  /** The text as somebody types it, or another text altogether. */
  type(text: string, { remember = true } = {}) {
    if (text === this.text) return;
    if (remember) {
      this.#undo = [...this.#undo.slice(-UNDO), this.text];
      this.#redo = [];
    }
    this.text = text;
    this.#draw();
    clearTimeout(this.#timers.check);
    this.#timers.check = setTimeout(() => void this.#check(), CHECK_MS);
    if (this.mayEdit) this.keeper.later();
  }

  #draw() {
    const document = read(this.text);
    this.document = document;
    // A text that can't be read leaves the picture as it was.
    if (!document.fault) {
      this.scene = sceneOf(document, this.scene);
      const there = (id: string) => this.scene.byId.has(id) || this.scene.linkById.has(id);
      if (!this.chosen.every(there)) this.chosen = this.chosen.filter(there);
    }
  }

  async #check() {
    const [text, mine] = [this.text, (this.#checks += 1)];
    let faults: Fault[] = [];
    let checked: Schema<'LabChecked'> | null = null;
    try {
      checked = (await api.post('/lab-documents/check', { body: { text } })) ?? null;
      if (this.document.name !== this.lab) faults = [{ code: 'name', message: `this page is of the lab \`${this.lab}\`: its document has to say \`name: ${this.lab}\``, ...(placeOf(text, '/name') ?? { line: 1, column: 1 }) }];
    } catch (error) {
      const problem = asProblem(error);
      const data = problem.data as { faults?: { code: string; message: string; pointer: string; line?: number; column?: number }[]; line?: number; column?: number } | undefined;
      faults = data?.faults?.map((one) => ({ code: one.code, message: one.message, ...(one.line ? { line: one.line, column: one.column ?? 1 } : (placeOf(text, one.pointer) ?? { line: 1, column: 1 })) })) ??
        [{ code: problem.code, message: problem.detail, line: data?.line ?? 1, column: data?.column ?? 1 }];
    }
    if (mine !== this.#checks || this.#ended) return;
    this.faults = faults;
    this.normal = faults.length ? null : (checked?.document ?? null);
    this.size = (checked?.size as { nodes?: number }) ?? null;
    this.#checked = text;
  }

  /** Waits until the text as it is now has been checked; whether it is right. */
  async right(): Promise<boolean> {
    clearTimeout(this.#timers.check);
    if (this.pending) await this.#check();
    return this.faults.length === 0;
  }

  undo() {
    const before = this.#undo.at(-1);
    if (before === undefined) return;
    this.#undo = this.#undo.slice(0, -1);
    this.#redo = [...this.#redo, this.text];
    this.type(before, { remember: false });
    this.said = 'Taken back';
  }
  redo() {
    const next = this.#redo.at(-1);
    if (next === undefined) return;
    this.#redo = this.#redo.slice(0, -1);
    this.#undo = [...this.#undo, this.text];
    this.type(next, { remember: false });
    this.said = 'Done again';
  }

  /** Changes the document, whose text follows. */
  edit(said: string, change: (draft: Draft) => void) {
    if (!this.mayEdit || this.document.fault) {
      this.said = this.document.fault ? 'The document can’t be read: mend its text first' : 'You may only look at this lab';
      return;
    }
    const draft = new Draft(this.text);
    change(draft);
    this.type(draft.text);
    this.said = said;
  }

  move(moves: readonly { thing: Thing; to: Point }[]) {
    const real = moves.filter(({ thing, to }) => !thing.placed || thing.position.x !== to.x || thing.position.y !== to.y);
    if (!real.length) return;
    // The first one that is placed places all: what was never placed would jump otherwise.
    const others = this.scene.things.filter((thing) => !thing.placed && thing.entry.copy === null && !real.some((one) => one.thing === thing)).map((thing) => ({ thing, to: thing.position }));
    this.edit(real.length === 1 ? `${real[0]!.thing.name} moved` : `${real.length} moved`, (draft) => {
      for (const { thing, to } of [...real, ...others]) draft.set(thing.type === 'node' ? 'nodes' : 'networks', thing.entry, ['position'], { x: Math.round(to.x), y: Math.round(to.y) });
    });
  }

  add(type: Thing['type'], value: Values) {
    this.edit(`${String(value.name)} added`, (draft) => draft.add(type === 'node' ? 'nodes' : 'networks', value));
    this.chosen = [`${type}/${String(value.name)}`];
  }

  /** Lays a link between two things; answers why not, if not. */
  connect(from: Thing, to: Thing, ports: { from?: string; to?: string } = {}, addresses: { from?: string; to?: string } = {}): string | null {
    if (from.type === 'network' && to.type === 'network') return 'Two networks need a node between them.';
    if (from === to) return 'A link has two different ends.';
    const end = (thing: Thing, port: string | undefined, address: string | undefined) => {
      if (thing.type === 'network') return thing.name;
      const at = `${thing.name}:${port || freePort(this.scene, thing.name)}`;
      return address ? { at, addresses: [address] } : at;
    };
    const [a, b] = from.type === 'network' ? [to, from] : [from, to];
    const swapped = a !== from;
    const endpoints = [end(a, swapped ? ports.to : ports.from, swapped ? addresses.to : addresses.from), end(b, swapped ? ports.from : ports.to, swapped ? addresses.from : addresses.to)];
    const id = linkId(endpoints.map((one) => endOf(one).at));
    if (this.scene.linkById.has(id)) return `There is a link ${id} already.`;
    this.edit(`Link ${id} added`, (draft) => draft.add('links', { endpoints }));
    this.chosen = [id];
    return null;
  }

  /** Takes things and links out, with the links, checks and drills that hang on them. */
  remove(ids: readonly string[]) {
    const things = ids.map((id) => this.scene.byId.get(id)).filter((one) => one !== undefined);
    const gone = new Set(things.map((thing) => thing.id));
    const links = this.scene.links.filter((link) => ids.includes(link.id) || link.ends.some((end) => gone.has(end.thing)));
    if (!things.length && !links.length) return;
    const names = new Set(things.filter((thing) => thing.type === 'node').map((thing) => thing.name));
    const ends = new Set(links.flatMap((link) => link.ends.map((end) => end.at)));
    const mentions = (value: Values) => [value.from, value.ping].some((name) => names.has(String(name))) || ends.has(String(value.at));
    this.edit(things.length + links.length === 1 ? `${things[0]?.name ?? links[0]!.id} removed` : `${things.length + links.length} removed`, (draft) => {
      draft.remove('links', links.map((link) => link.entry));
      draft.remove('nodes', things.filter((thing) => thing.type === 'node').map((thing) => thing.entry));
      draft.remove('networks', things.filter((thing) => thing.type === 'network').map((thing) => thing.entry));
      draft.drop('checks', mentions);
      draft.drop('drills', mentions);
    });
    this.chosen = [];
  }

  set(part: 'nodes' | 'networks' | 'links', entry: Entry, path: readonly (string | number)[], value: unknown, said = 'Changed') {
    this.edit(said, (draft) => draft.set(part, entry, path, value));
  }

  /** Gives a thing another name, everywhere where it is named; answers why not, if not. */
  rename(thing: Thing, name: string): string | null {
    if (name === thing.name) return null;
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$/.test(name)) return 'Letters, digits, “.”, “_” and “-”, at most 48.';
    if (this.scene.byId.has(`${thing.type}/${name}`)) return `There is a ${thing.type} ${name} already.`;
    const part = thing.type === 'node' ? 'nodes' : 'networks';
    this.edit(`${thing.name} is ${name} now`, (draft) => {
      draft.set(part, thing.entry, ['name'], name);
      for (const link of this.scene.links) {
        link.ends.forEach((end, at) => {
          if (end.thing !== thing.id) return;
          const given = (link.value.endpoints as unknown[])[at];
          const to = thing.type === 'node' ? `${name}:${end.port}` : name;
          const path = typeof given === 'string' ? ['endpoints', at] : ['endpoints', at, thing.type === 'node' ? 'at' : 'network'];
          draft.set('links', link.entry, path, to);
        });
      }
      if (thing.type === 'network') return;
      const other = (word: unknown) => (word === thing.name ? name : typeof word === 'string' && word.startsWith(`${thing.name}:`) ? `${name}${word.slice(thing.name.length)}` : word);
      const change = (value: Values) => Object.fromEntries(Object.entries(value).map(([key, word]) => [key, ['from', 'ping', 'at'].includes(key) ? other(word) : word]));
      draft.rename('checks', change);
      draft.rename('drills', change);
    });
    this.chosen = [`${thing.type}/${name}`];
    return null;
  }

  /** Changes a link in the document. */
  setLink(link: Link, changes: Record<string, unknown>, said: string) {
    this.edit(said, (draft) => {
      for (const [key, value] of Object.entries(changes)) draft.set('links', link.entry, [key], value);
    });
  }

  /** What is deployed, in place of what is drawn. */
  async takeDeployed() {
    const answer = await api.post('/lab-documents/check', { body: { document: this.view!.document } });
    this.#base = digest(this.view!.document);
    this.type(answer!.yaml);
    await this.right();
  }
  /** What is drawn stays, though something else was deployed. */
  keepDrawn() {
    this.#base = digest(this.view!.document);
    void this.keeper.now();
  }

  // --- What is there ---

  start(): () => void {
    const mine = (data: unknown) => (data as { lab?: string } | null)?.lab === this.lab && [undefined, this.organisation].includes((data as { organisation?: string }).organisation);
    const stop = feed.listen((events) => {
      if (events.some((event) => event.kind.startsWith('lab.') && mine(event.data))) void this.look();
    });
    // What others' workflows do to it is seen with the next look.
    const quit = runsChanged(() => void this.look(), LAB_MS, endsIn('lab'));
    const again = () => {
      clearTimeout(this.#timers.look);
      this.#timers.look = setTimeout(() => void (document.hidden ? Promise.resolve() : this.look()).finally(again), LOOK_MS);
    };
    again();
    // Whoever closes the page is asked if what is drawn isn't surely kept. Going to another page of ours ends nothing.
    const stay = router.guard((to) => to !== '' || this.keeper.leave());
    const gone = () => void this.keeper.leave();
    addEventListener('pagehide', gone);
    return () => {
      this.#ended = true;
      stop();
      quit();
      stay();
      removeEventListener('pagehide', gone);
      for (const timer of Object.values(this.#timers)) clearTimeout(timer);
      this.keeper.leave();
    };
  }

  /** Looks again at what is there. One look at a time: what happens meanwhile asks for another one, and is waited for. */
  look(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#looks().finally(() => (this.#looking = null));
    return this.#looking;
  }

  async #looks() {
    while (this.#again && !this.#ended) {
      this.#again = false;
      try {
        const view = await api.get('/labs/{lab}', { path: { lab: this.lab }, query: this.query }).catch(missing);
        if (JSON.stringify(view ?? null) !== JSON.stringify(this.view)) this.view = view ?? null;
        this.trouble = null;
      } catch (error) {
        this.trouble = asProblem(error);
      }
    }
  }

  /** What deploying would do now. */
  async ask(): Promise<Plan & { differences: Difference[] }> {
    return (await api.post('/lab-documents/plan', { body: { document: valueOf(this.text) as never, organisation: this.organisation || undefined } })) as unknown as Plan;
  }

  async launch(workflow: string, input: unknown): Promise<string> {
    const answer = await api.post('/runs', { body: { workflow, input: input as never, organisation: this.organisation || undefined }, idempotencyKey: onceKey() });
    return answer!.id;
  }

  /** Deploys what is drawn; answers the run, and what to call when it has ended. */
  async deploy(): Promise<{ run: string; ended: (well: boolean) => Promise<void> }> {
    await this.right();
    const [document, mine] = [valueOf(this.text), digest(this.normal)];
    await this.keeper.now();
    const run = await this.launch('lab/deploy', document);
    this.#deploying = [...this.#deploying, mine];
    const ended = async (well: boolean) => {
      // Whatever others have deployed since: this is what was drawn from now.
      if (well) this.#base = mine;
      await this.settled();
      this.#deploying = this.#deploying.filter((one) => one !== mine);
    };
    return { run, ended };
  }

  /** Runs a workflow that changes no more than a link; answers the run, and what to call when it has ended. */
  async change(workflow: string, input: Record<string, unknown>): Promise<{ run: string; ended: (well: boolean) => Promise<void> }> {
    const before = this.view?.document;
    const run = await this.launch(workflow, input);
    const ended = async (well: boolean) => {
      await this.look();
      const now = this.view?.document;
      // A cable that was pulled from here is nobody else's deployment.
      const only = typeof input.at === 'string' && before && now && withoutLink(before, input.at) === withoutLink(now, input.at);
      if (well && only && digest(before) === this.#base) this.#base = digest(now);
      await this.settled();
    };
    return { run, ended };
  }

  /** It was thrown away: nothing is to be kept any more. */
  forgotten() {
    this.keeper.end();
    this.#ended = true;
  }

  /** After a run of the lab's workflows. */
  async settled() {
    await this.look();
    if (this.mayEdit && this.keeper.exists) await this.keeper.now();
  }
}
