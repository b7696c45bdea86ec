/**
 * A simulated warehouse: cores shared evenly by all that is active (processor sharing), foreground queries that arrive at random at a
 * changing rate, batches of sluice as many at once as the limit says, and a canary with a noisy clock. One queue model, without locks or disks: it
 * ranks laws, it does not forecast latencies of a real one.
 */
import { random } from '../../test/support/random.js';

export interface Scenario {
  readonly seconds: number;
  readonly cores: number;
  /** Share of the cores that the foreground would use at `t`, at full capacity. */
  readonly load: (t: number) => number;
  /** Share of the cores that is there. */
  readonly capacity: (t: number) => number;
  /** σ of the canary's noise (lognormal); one in a hundred takes 8 times as long. */
  readonly noise: number;
  /** How old readings are when they are judged, s. */
  readonly stale: number;
  /** Seconds of CPU of a batch, in the mean. */
  readonly batch: number;
}

/** What was measured in a tick: means of five samples, and the canary's latencies, ms. */
export interface Sample {
  readonly foreground: number;
  readonly ours: number;
  readonly probes: readonly number[];
}

/** Slots in force from `t` on, s. */
export type Controller = (sample: Sample, t: number) => number;

export interface Outcome {
  /** Foreground response times, s, in windows of 10 s by arrival. */
  readonly windows: readonly Float64Array[];
  /** CPU seconds of batches that were finished. */
  readonly done: number;
  /** Slots in force in each second. */
  readonly limits: readonly number[];
  /** N / C in each second, 1 or more: by how much everything was slowed down. */
  readonly slowdown: readonly number[];
}

const QUERY_SECONDS = 0.05;
const CANARY_MS = 5;
const PROBES = 5;
export const WINDOW = 10;

interface Job {
  /** Virtual time at which it has had its share. */
  readonly due: number;
  readonly arrived: number;
  readonly seconds: number;
  readonly ours: boolean;
}

/** Runs a scenario; the same seed has the same foreground, whatever the controller does. */
export function simulate(scenario: Scenario, seed: number, controller: Controller): Outcome {
  return new Warehouse(scenario, seed).run(controller);
}

class Warehouse {
  private readonly queries: () => number;
  private readonly batches: () => number;
  private readonly clock: () => number;
  private readonly jobs: Job[] = [];
  private now = 0;
  private virtual = 0;
  private foreground = 0;
  private ours = 0;
  private limit = 0;
  private capacity = 1;
  private done = 0;
  private readonly responses: number[][];

  constructor(
    private readonly scenario: Scenario,
    seed: number,
  ) {
    this.queries = random(seed * 7919 + 1);
    this.batches = random(seed * 104_729 + 2);
    this.clock = random(seed * 1_299_709 + 3);
    this.responses = Array.from({ length: Math.ceil(scenario.seconds / WINDOW) }, () => []);
  }

  run(controller: Controller): Outcome {
    const { seconds, load, capacity, stale } = this.scenario;
    const limits: number[] = [];
    const slowdown: number[] = [];
    const seen: Sample[] = [];
    let arrival = 0;
    for (let second = 0; second < seconds; second++) {
      this.capacity = capacity(second);
      const sample = { foreground: 0, ours: 0, probes: [] as number[] };
      for (let probe = 1; probe <= PROBES; probe++) {
        const until = second + probe / PROBES;
        arrival = this.advance(until, arrival, load(second));
        sample.foreground += this.foreground / PROBES;
        sample.ours += this.ours / PROBES;
        sample.probes.push(this.canary());
      }
      seen.push(sample);
      slowdown.push(Math.max(1, (sample.foreground + sample.ours) / (this.scenario.cores * this.capacity)));
      const old = seen[second - stale];
      if (old) this.limit = controller(old, second + 1);
      this.fill();
      limits.push(this.limit);
    }
    return { windows: this.responses.map((all) => Float64Array.from(all).sort()), done: this.done, limits, slowdown };
  }

  /** Lets time pass until `until`; returns when the next query comes. */
  private advance(until: number, arrival: number, load: number): number {
    const perSecond = (load * this.scenario.cores) / QUERY_SECONDS;
    let next = Math.max(arrival, this.now);
    for (;;) {
      const finish = this.finishTime();
      const event = Math.min(next, finish, until);
      this.virtual += (event - this.now) * this.speed();
      this.now = event;
      if (event === until) return next;
      if (event === finish) this.finish();
      else {
        this.start(exponential(this.queries) * QUERY_SECONDS, false);
        next = this.now + exponential(this.queries) / perSecond;
      }
    }
  }

  private speed(): number {
    return Math.min(1, (this.scenario.cores * this.capacity) / Math.max(1, this.foreground + this.ours));
  }

  private finishTime(): number {
    const first = this.jobs[0];
    return first ? this.now + Math.max(0, first.due - this.virtual) / this.speed() : Infinity;
  }

  private start(seconds: number, ours: boolean): void {
    push(this.jobs, { due: this.virtual + seconds, arrived: this.now, seconds, ours });
    if (ours) this.ours++;
    else this.foreground++;
  }

  private finish(): void {
    const job = pop(this.jobs);
    if (job.ours) {
      this.ours--;
      this.done += job.seconds;
      this.fill();
      return;
    }
    this.foreground--;
    this.responses[Math.floor(job.arrived / WINDOW)]?.push(this.now - job.arrived);
  }

  private fill(): void {
    while (this.ours < this.limit) this.start(this.scenario.batch * (0.5 + this.batches()), true);
  }

  private canary(): number {
    const noise = Math.exp(this.scenario.noise * normal(this.clock));
    const outlier = this.clock() < 0.01 ? 8 : 1;
    return (CANARY_MS / this.speed()) * noise * outlier;
  }
}

function exponential(next: () => number): number {
  return -Math.log(1 - next());
}

function normal(next: () => number): number {
  return Math.sqrt(2 * exponential(next)) * Math.cos(2 * Math.PI * next());
}

/** A binary heap by `due`. */
function push(heap: Job[], job: Job): void {
  let at = heap.push(job) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up];
    if (!parent || parent.due <= job.due) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = job;
}

function pop(heap: Job[]): Job {
  const [top] = heap;
  const last = heap.pop();
  if (!top || !last) throw new RangeError('no job is there');
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if ((heap[child + 1]?.due ?? Infinity) < (heap[child]?.due ?? Infinity)) child++;
    const lower = heap[child];
    if (!lower || lower.due >= last.due) break;
    heap[at] = lower;
    at = child;
  }
  heap[at] = last;
  return top;
}
