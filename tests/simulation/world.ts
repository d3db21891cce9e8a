/** One run's world: clock, cluster, web, disk, and the processes that live and die in it. */
import {
  FakeClock,
  type MemoryClient,
  memoryBroker,
  type MemoryCluster,
  type Random,
  seededRandom,
} from "@sluice/broker/memory";
import { SluiceError } from "@sluice/errors";
import { topicSpecs } from "@sluice/process";
import {
  partitionOf,
  policySchema,
  topics,
  type Job,
  type JobStatus,
  type Policy,
  type TopicLayout,
} from "@sluice/records";
import type { OutRecord } from "@sluice/runtime";
import { SimulatedDisk } from "./disk.ts";
import { BufferChecks } from "./invariants/buffers.ts";
import { CommitChecks, outcomesDone } from "./invariants/commits.ts";
import { CounterChecks } from "./invariants/counters.ts";
import { EndChecks } from "./invariants/endings.ts";
import { HeldChecks } from "./invariants/held.ts";
import { LimitChecks } from "./invariants/limits.ts";
import { OutputChecks } from "./invariants/outputs.ts";
import { PaceChecks } from "./invariants/pace.ts";
import { PolitenessChecks } from "./invariants/politeness.ts";
import { QuietChecks } from "./invariants/quiet.ts";
import { atItsStart, type Death, type Instance } from "./instance.ts";
import { Life, type Surroundings } from "./life.ts";
import { LocalState } from "./local-state.ts";
import type { Report, Violation } from "./observer.ts";
import { withoutBudgets } from "./job-budgets.ts";
import type { ServiceName } from "./fault-plan.ts";
import type { Plan } from "./plan.ts";
import { SimulatedWeb, type WebObserver } from "./web.ts";

const violationsMax = 20;

export class World {
  readonly plan: Plan;
  readonly clock: FakeClock;
  readonly startMs: number;
  readonly cluster: MemoryCluster;
  readonly web: SimulatedWeb;
  readonly disk: SimulatedDisk;
  readonly violations: Violation[] = [];
  /** The run of each job that was begun last. */
  readonly runs = new Map<string, number>();
  readonly quiet: QuietChecks;
  readonly ends: EndChecks;
  /** What the servers were asked for, by number of the host. */
  readonly visited = new Map<number, Set<string>>();
  /** Of all processes, dead or alive. */
  steps = 0;
  readonly #random: Random;
  readonly #layout: TopicLayout;
  readonly #instances: Instance[] = [];
  readonly #user: MemoryClient;
  readonly #surroundings: Surroundings;
  #lives = 0;
  /** Faults are over: what dies now dies of a bug. */
  calm = false;

  /** @param startMs time of day at which the run begins */
  constructor(plan: Plan, onLine?: (line: string) => void, startMs?: number) {
    this.plan = plan;
    this.clock = new FakeClock(startMs);
    this.startMs = this.clock.nowMs();
    this.#random = seededRandom(plan.seed).fork("world");
    this.cluster = memoryBroker({
      clock: this.clock,
      seed: plan.seed,
      faults: plan.rates,
      delivery: plan.delivery,
      latency: { minMs: 0, maxMs: plan.settings.latencyMsMax },
      fetchWaitMsMax: 600,
      nodes: plan.settings.nodes,
      onOffsets: (id, group, offsets) => commits.landed(id, group, offsets),
      ...(onLine === undefined ? {} : { onTrace: onLine }),
    });
    const report: Report = (invariant, detail) => this.report(invariant, detail);
    const commits = new CommitChecks(this.cluster, plan.delivery, report);
    const politeness = new PolitenessChecks(plan, this.clock, report);
    const startedAtMs = (job: string): number | null => this.statuses().get(job)?.startedAtMs ?? null;
    this.quiet = new QuietChecks(plan, this.clock, startedAtMs, report);
    this.ends = new EndChecks(this.cluster, report);
    const { trace } = this.cluster;
    const observer: WebObserver = {
      began: (visit) => {
        trace.add(visit.by, "asks", `${visit.host} ${visit.path}`);
        politeness.began(visit);
        const paths = this.visited.get(visit.host);
        if (paths === undefined) this.visited.set(visit.host, new Set([visit.path]));
        else paths.add(visit.path);
        this.quiet.began(visit);
      },
      answered: (visit, answer) => {
        trace.add(visit.by, "hears", `${visit.host} ${visit.path} ${answer.status}`);
        politeness.answered(visit, answer);
      },
    };
    this.web = new SimulatedWeb(plan.hosts, this.clock, this.#random.fork("web"), observer);
    this.disk = new SimulatedDisk(this.#random.fork("disk"));
    this.#layout = {
      prefix: "",
      partitions: plan.partitions,
      politenessKey: plan.politenessKey,
      retentionMs: null,
      replicationFactor: null,
    };
    const lives = new Map<string, Life>();
    const buffers = new BufferChecks(plan.settings, (life) => lives.get(life.name)?.holding ?? null, report);
    this.#surroundings = {
      cluster: this.cluster,
      layout: this.#layout,
      web: this.web,
      disk: this.disk,
      settings: plan.settings,
      observers: [
        commits,
        politeness,
        buffers,
        new HeldChecks(plan.settings, (group, at, offset) => commits.isDone(group, at, offset), report),
        new LimitChecks(plan, report),
        new OutputChecks(plan.settings, report),
        new PaceChecks(plan, (partition) => outcomesDone(this.cluster, commits, partition), report),
        // Counts that add up are promised with transactions only.
        ...(plan.delivery === "exactly-once" ? [new CounterChecks(report), this.ends, this.quiet] : []),
      ],
      trace,
      onStep: () => {
        this.steps += 1;
      },
      onBegun: (life) => lives.set(life.name, life),
      onDeath: (life) => this.#died(life),
      onFatal: (life, error) => this.#fatal(life, error),
      onStartFailed: (life) => this.#startAgain(life, 300),
      // Beside the trace, whose hash must not depend on who looks.
      onEvent:
        onLine === undefined
          ? null
          : (life, event, fields) =>
              onLine(`${this.clock.nowMs()} ${life.name} ${event} ${JSON.stringify(fields)}`),
    };
    this.#user = this.cluster.connect("user");
  }

  get nowMs(): number {
    return this.clock.nowMs() - this.startMs;
  }

  /** @param prepare puts something into the topics before any process is started */
  async open(prepare?: () => void): Promise<void> {
    await this.clock.settle(this.#user.admin.createTopics(topicSpecs(this.#layout)));
    const { budgets } = this.plan;
    if (budgets !== null) {
      this.policy("*", policySchema.parse({ budgets }));
      // No task may know of a job before it.
      await this.clock.settle(this.#sent);
    }
    prepare?.();
    for (const [service, count] of Object.entries(this.plan.instances) as [ServiceName, number][]) {
      for (let index = 0; index < count; index += 1) this.#begin(this.#instance(service));
    }
  }

  report(invariant: string, detail: string): void {
    this.cluster.trace.add("check", "violation", `${invariant}: ${detail}`);
    if (this.violations.length < violationsMax)
      this.violations.push({ invariant, detail: `${detail} (at ${this.nowMs} ms)` });
  }

  /** The index is taken as one among those that run. */
  pick(service: ServiceName, index: number): Life | null {
    const found = this.#instances.filter((each) => each.service === service && each.life?.isAlive === true);
    return found[index % Math.max(1, found.length)]?.life ?? null;
  }

  /** Every process that there should be runs, with all its tasks. */
  get isWhole(): boolean {
    return this.#instances.every(({ life, isGone }) => isGone || (life?.isAlive === true && life.ready));
  }

  lives(): readonly Life[] {
    return this.#instances.flatMap(({ life }) => (life?.isAlive === true ? [life] : []));
  }

  kill(life: Life, downMs: number, loseState: boolean): void {
    life.kill();
    const instance = this.#of(life);
    instance.stores.crash();
    if (loseState) instance.stores = this.#emptyState(instance.name);
    this.#startAgain(life, downMs);
  }

  /** Nothing more can be written to where a process has its state, until there is room again. */
  fillState(service: ServiceName, index: number, forMs: number): void {
    const life = this.pick(service, index);
    if (life === null) return;
    const { stores } = this.#of(life);
    stores.isFull = true;
    this.clock.setTimer(this.clock.nowMs() + forMs, () => {
      stores.isFull = false;
    });
  }

  #emptyState(name: string): LocalState {
    return new LocalState(this.#random.fork(`state ${name}`));
  }

  /** Dies at a coming effect; what is to be done then is kept for the moment of death. */
  killAtEffect(life: Life, death: Death): void {
    if (!atItsStart.has(death.effect)) return this.#arm(life, death);
    this.#of(life).armed = death;
    this.kill(life, death.downMs, death.loseState);
  }

  #arm(life: Life, death: Death): void {
    this.#deaths.set(life.name, death);
    life.dieAt(death.effects, death.effect);
  }

  readonly #deaths = new Map<string, Pick<Death, "downMs" | "loseState">>();

  scaleOut(service: ServiceName): void {
    if (this.#instances.filter((each) => each.service === service && !each.isGone).length < 4)
      this.#begin(this.#instance(service));
  }

  /** A clean end of one process, as long as another one of its service is left. */
  scaleIn(service: ServiceName, index: number): void {
    const left = this.#instances.filter((each) => each.service === service && !each.isGone);
    const life = this.pick(service, index);
    if (life === null) return;
    const instance = this.#of(life);
    const isLast = left.length < 2;
    if (!isLast) instance.isGone = true;
    const stop = async (): Promise<void> => {
      await life.stop();
      // The last one of its service is restarted, as in a rolling update.
      if (isLast && instance.life === life) this.#begin(instance);
    };
    stop().catch((error: unknown) =>
      this.#fatal(life, error instanceof Error ? error : new Error(String(error))),
    );
  }

  submit(job: Job): void {
    this.runs.set(job.id, Math.max(this.runs.get(job.id) ?? 1, job.run));
    const said = this.plan.budgets === null ? job : withoutBudgets(job);
    this.#send(topics.jobs.name, partitionOf(job.id, this.plan.partitions), job.id, JSON.stringify(said));
  }

  /** Null takes it back. */
  policy(pattern: string, policy: Policy | null): void {
    this.#send(topics.policies.name, 0, pattern, policy === null ? null : JSON.stringify(policy));
  }

  poisonJobs(key: string, text: string): void {
    this.#send(topics.jobs.name, partitionOf(key, this.plan.partitions), key, text);
  }

  /** A record in the topic of seeds, on whatever partition. */
  seed(text: string): void {
    this.#send(topics.seeds.name, this.#random.between(0, this.plan.partitions - 1), null, text);
  }

  /** Someone takes the id of a task over, and goes away. */
  fence(service: ServiceName, task: number): void {
    const take = async (): Promise<void> => {
      const producer = await this.#user.transactionalProducer(`${service}-${task}`);
      await producer.fence();
      await producer.close();
    };
    take().catch(() => undefined);
  }

  /** The newest status of each job that was committed. */
  statuses(): ReadonlyMap<string, JobStatus> {
    for (let partition = 0; partition < this.plan.partitions; partition += 1) {
      const at = { topic: topics.counters.name, partition };
      const { records, nextOffset } = this.cluster.committedFrom(at, this.#read.get(partition) ?? 0);
      this.#read.set(partition, nextOffset);
      for (const { key, value } of records) {
        // Those of tasks have a slash in their key.
        if (value === null || key?.includes("/") === true) continue;
        const status = JSON.parse(value.toString("utf8")) as JobStatus;
        this.#statuses.set(status.job, status);
      }
    }
    return this.#statuses;
  }

  readonly #read = new Map<number, number>();
  readonly #statuses = new Map<string, JobStatus>();

  /** One record after the other, each tried until it is there. */
  #send(topic: string, partition: number, key: string | null, value: string | null): void {
    const before = this.#sent;
    const send = async (): Promise<void> => {
      await before;
      while (!(await this.#isSent({ topic, partition, key, value }))) {
        await new Promise<void>((resolve) => {
          this.clock.setTimer(this.clock.nowMs() + 200, resolve);
        });
      }
    };
    this.#sent = send();
  }

  async #isSent(record: OutRecord): Promise<boolean> {
    try {
      const producer = await this.#user.producer();
      await producer.send([record]);
      return true;
    } catch {
      return false;
    }
  }

  #sent: Promise<void> = Promise.resolve();

  #instance(service: ServiceName): Instance {
    const index = this.#instances.filter((each) => each.service === service).length;
    const instance: Instance = {
      service,
      name: `${service}-${index}`,
      stores: this.#emptyState(`${service}-${index}`),
      life: null,
      isGone: false,
      armed: null,
    };
    this.#instances.push(instance);
    return instance;
  }

  #of(life: Life): Instance {
    const found = this.#instances.find(({ name }) => name === life.instance);
    if (found === undefined) throw new Error(`no instance ${life.instance}`);
    return found;
  }

  #begin(instance: Instance): void {
    this.#lives += 1;
    const skew = this.plan.skewMsMax;
    const life = new Life(
      {
        service: instance.service,
        instance: instance.name,
        number: this.#lives,
        stores: instance.stores,
        skewMs: skew === 0 ? 0 : this.#random.between(-skew, skew),
      },
      this.#surroundings,
    );
    instance.life = life;
    if (instance.armed !== null) this.#arm(life, instance.armed);
    instance.armed = null;
    life.start();
  }

  #startAgain(life: Life, downMs: number): void {
    const instance = this.#of(life);
    if (instance.life !== life || instance.isGone) return;
    life.kill();
    this.clock.setTimer(this.clock.nowMs() + downMs, () => {
      if (instance.life === life && !instance.isGone) this.#begin(instance);
    });
  }

  #died(life: Life): void {
    const { downMs = 300, loseState = true } = this.#deaths.get(life.name) ?? {};
    this.kill(life, downMs, loseState);
  }

  #fatal(life: Life, error: Error): void {
    if (!life.isAlive) return;
    if (error instanceof SluiceError && error.code === "SLUICE_STATE_FAILED") {
      // As it has to: nothing is known any more of what its files have. Its supervisor starts it again.
      this.cluster.trace.add(life.name, "ends", error.code);
      return this.kill(life, 300, false);
    }
    this.report("a process ends only where it is told to", `${life.name}: ${error.message}`);
    this.#startAgain(life, 300);
  }
}
