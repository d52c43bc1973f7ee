// A run of a lab's workflow that this page has launched: how far it is, and what came of it.
import { api, asProblem, follow, type ApiProblem, type Schema } from '$lib/api';
import { hasEnded } from '$lib/states';

export class Watch {
  state = $state<string>('queued');
  percent = $state<number | null>(null);
  message = $state('');
  run = $state.raw<Schema<'RunView'> | null>(null);
  problem = $state.raw<ApiProblem | null>(null);
  readonly ended: Promise<void>;
  #close: () => void = () => {};

  constructor(readonly id: string, readonly title: string, readonly workflow: string) {
    this.ended = new Promise((resolve) => {
      const ask = async () => {
        try {
          this.run = (await api.get('/runs/{id}', { path: { id } })) as unknown as Schema<'RunView'>;
          this.state = this.run.state;
        } catch (error) {
          this.problem = asProblem(error);
        }
      };
      const following = follow(`/runs/${encodeURIComponent(id)}/events`, {
        onEvents: (events) => {
          for (const { kind, data } of events as { kind: string; data: Record<string, unknown> }[]) {
            if (kind === 'output.progress') {
              if (typeof data.percent === 'number') this.percent = data.percent;
              if (typeof data.message === 'string') this.message = data.message;
            }
            if (kind === 'run.started') this.state = 'running';
            if (kind === 'run.waiting') this.state = 'waiting';
          }
        },
        onState: (state) => {
          if (state.kind === 'refused') this.problem = state.problem;
          if (state.kind === 'done' || state.kind === 'refused') void ask().then(resolve);
        },
      });
      this.#close = () => following.close();
    });
  }

  get done() {
    return hasEnded(this.state) || this.problem !== null;
  }
  get failed() {
    return this.problem !== null || (hasEnded(this.state) && this.state !== 'succeeded');
  }
  close() {
    this.#close();
  }
}
