/** The crawl itself, on a Kafka that is there: plan, services, watching, and the end in order. */
import { SluiceError } from "@sluice/errors";
import { topics, type FinishReason, type Job, type TopicLayout } from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import type { CrawlOptions } from "./crawl-options.ts";
import { GroupBacklog } from "@sluice/process";
import { givenUpText } from "./given-up.ts";
import { exitOfReason, type Exit } from "./exit-codes.ts";
import type { Interruption } from "./interruption.ts";
import { noFigures } from "./job-figures.ts";
import { JobDesk } from "./job-desk.ts";
import { conflictMessage, type JobPlan } from "./job-plan.ts";
import { JobWatch } from "./job-watch.ts";
import { deathText, defaultLaunchPolicy, Launcher, type GivenUp } from "./launcher.ts";
import { OrderlyStop } from "./orderly-stop.ts";
import type { OutFolder } from "./out-folder.ts";
import { PageRate } from "./page-rate.ts";
import { ProgressDisplay, type Screen } from "./progress-display.ts";
import { progressLine } from "./progress-line.ts";
import { ResultsFollower } from "./results-follower.ts";
import { startServiceProcess } from "./service-process.ts";
import { drainMsOf, serviceSpecs, sinkService } from "./service-specs.ts";
import { summarize, summaryText, type Summary } from "./summary.ts";

export interface CrawlRunInput {
  readonly options: CrawlOptions;
  readonly layout: TopicLayout;
  readonly broker: Broker;
  readonly brokers: readonly string[];
  readonly givenBrokers: boolean;
  readonly clock: Clock;
  readonly screen: Screen;
  readonly env: NodeJS.ProcessEnv;
  readonly folder: OutFolder;
  readonly logDir: string;
  readonly stateDir: string;
  readonly scriptOf: (service: string) => string;
  readonly interruption: Interruption;
  /** Gets the ids of the service processes whenever they change. */
  readonly onServices: (pids: readonly number[]) => void;
  readonly writeResults: (bytes: Uint8Array) => void;
}

const rateMs = 1000;
/** Beyond the drain limit of the services, until they are killed. */
const graceMarginMs = 5000;
const countersLimitMs = 3000;

type Ending = "ended" | "interrupted" | "given_up";

export class CrawlRun {
  readonly #input: CrawlRunInput;
  readonly #display: ProgressDisplay;
  readonly #rate = new PageRate();
  readonly #startedMs: number;
  readonly #launcher: Launcher;
  readonly #desk: JobDesk;
  readonly #outcomes: GroupBacklog;
  readonly #results: GroupBacklog;
  readonly #failure = Promise.withResolvers<void>();
  #givenUp: GivenUp | null = null;
  #abandoned = false;
  #phase: string | null = "preparing topics";
  #job: Job;
  #watch: JobWatch | null = null;

  constructor(input: CrawlRunInput) {
    this.#input = input;
    this.#job = input.options.job;
    this.#startedMs = input.clock.monotonicMs();
    this.#display = new ProgressDisplay(input.screen, input.clock, () => this.#line());
    const { broker, clock, folder, layout } = input;
    const backlog = (service: string, topic: string): GroupBacklog =>
      new GroupBacklog({ broker, clock, group: layout.prefix + service, topic: layout.prefix + topic });
    this.#outcomes = backlog("frontier", topics.outcomes.name);
    this.#results = backlog(sinkService, topics.results.name);
    this.#desk = new JobDesk({ broker, clock, layout, folder, results: this.#results });
    this.#launcher = new Launcher({
      clock: input.clock,
      policy: defaultLaunchPolicy,
      start: (spec, env) =>
        startServiceProcess({
          script: input.scriptOf(spec.service),
          env: { ...input.env, ...env },
          logPath: spec.logPath,
        }),
      onGivenUp: (reason) => {
        this.#givenUp = reason;
        this.#failure.resolve();
      },
      onRestart: (spec, death, delayMs) =>
        this.say(
          `${spec.name} ${deathText(death)}; starting it again${delayMs === 0 ? "" : ` in ${delayMs} ms`} (log: ${spec.logPath})`,
        ),
      onChanged: input.onServices,
    });
  }

  say(text: string): void {
    this.#display.say(text);
  }

  /** Everything is killed at once; what was committed stays, and the same command goes on from it. */
  abandon(): void {
    this.#abandoned = true;
    this.#launcher.kill();
    this.#display.stop();
    if (this.#watch !== null) this.#input.folder.writeSummary(this.#summary("interrupted"));
    this.#input.screen.write("stopped at once; the same command goes on from here\n");
  }

  async crawl(): Promise<Exit> {
    const { options, layout, broker, folder, interruption, clock } = this.#input;
    const plan = await this.#desk.plan(options.job);
    if (plan.kind === "conflict") {
      throw new SluiceError("SLUICE_JOB_CONFLICT", conflictMessage(options.job.id, plan.differences), {
        field: "--job",
      });
    }
    const { job } = plan;
    this.#job = job;
    const hasWritten = plan.kind === "resume" && (await this.#results.hasCommitted());
    folder.prepare({ job: job.id, prefix: layout.prefix, run: job.run, kind: plan.kind, hasWritten });
    this.say(planText(plan, layout.prefix, options.out));
    const follower = options.json ? new ResultsFollower(folder, clock, this.#input.writeResults) : null;
    const watch = new JobWatch({
      broker,
      clock,
      prefix: layout.prefix,
      partitions: layout.partitions,
      job: job.id,
      run: job.run,
      onFailed: (error) => this.say(`watching the job failed and is begun again: ${error.message}`),
    });
    if (interruption.isRequested) return "interrupted";
    this.#watch = watch;
    this.#phase = "starting services";
    try {
      this.#launcher.start(serviceSpecs({ ...this.#input, partitions: layout.partitions }));
      this.#display.start();
      this.#measure();
      follower?.start();
      await Promise.all([this.#desk.submit(job), watch.open()]);
      const ending = await this.#ending(watch);
      const reason = await this.#windDown(ending);
      follower?.finish();
      return this.#report(reason);
    } catch (error) {
      this.#launcher.kill();
      if (this.#abandoned) return "stopped";
      throw error;
    } finally {
      this.#display.stop();
      await watch.close();
    }
  }

  #ending(watch: JobWatch): Promise<Ending> {
    return Promise.race([
      watch.ended.then((): Ending => "ended"),
      this.#input.interruption.requested.then((): Ending => "interrupted"),
      this.#failure.promise.then((): Ending => "given_up"),
    ]);
  }

  async #windDown(ending: Ending): Promise<FinishReason> {
    const { options, env, interruption } = this.#input;
    const stop = new OrderlyStop({
      clock: this.#input.clock,
      launcher: this.#launcher,
      outcomes: this.#outcomes,
      results: this.#results,
      graceMs: drainMsOf(options, env) + graceMarginMs,
      isDead: (service) => this.#abandoned || this.#givenUp?.spec.service === service,
    });
    if (ending === "ended") {
      this.#phase = "writing results";
      const written = await stop.afterEnd(() => interruption.isRequested || this.#givenUp !== null);
      return written ? (this.#watch?.figures.status?.finishReason ?? "completed") : "interrupted";
    }
    this.#phase = "stopping services";
    await stop.midway();
    await this.#watch?.catchUp(countersLimitMs);
    return "interrupted";
  }

  #report(reason: FinishReason): Exit {
    if (this.#abandoned) return "stopped";
    const { folder, screen } = this.#input;
    this.#display.stop();
    const summary = this.#summary(reason);
    folder.writeSummary(summary);
    const error = this.#watch?.figures.status?.error ?? null;
    screen.write(`${summaryText(summary, folder, error)}\n`);
    const dead = reason === "interrupted" ? this.#givenUp : null;
    if (dead === null) return exitOfReason(reason);
    screen.write(`${givenUpText(dead)}\n`);
    return "fatal";
  }

  #summary(reason: FinishReason): Summary {
    const figures = this.#watch?.figures;
    return summarize({
      job: this.#job.id,
      run: this.#job.run,
      reason,
      figures: figures?.figures() ?? noFigures,
      status: figures?.status ?? null,
      nowMs: this.#input.clock.nowMs(),
    });
  }

  /** Notes the pages each second, for the rate. */
  #measure(): void {
    const { clock } = this.#input;
    const figures = this.#watch?.figures;
    if (figures === undefined) return;
    const { done, failed, admitted } = figures.figures();
    if (admitted > 0) {
      this.#rate.note(clock.monotonicMs(), done + failed);
      if (this.#phase === "starting services") this.#phase = null;
    }
    if (!figures.ended) clock.after(rateMs, () => this.#measure());
  }

  #line(): string {
    const { clock } = this.#input;
    const { figures, hosts } = this.#watch ?? {};
    return progressLine({
      figures: figures?.figures() ?? noFigures,
      maxPages: this.#job.limits.maxPages,
      pagesPerSecond: this.#rate.perSecond(),
      hosts: hosts?.waiting(clock.nowMs()) ?? { count: 0, reasons: [], longest: null },
      delayMs: this.#job.politeness.delayMs,
      phase: this.#phase,
      elapsedMs: clock.monotonicMs() - this.#startedMs,
    });
  }
}

function planText(plan: Exclude<JobPlan, { kind: "conflict" }>, prefix: string, out: string): string {
  const how = {
    first: "begins",
    resume: "goes on",
    next: "begins; the results before are kept as results.run-*.jsonl",
  }[plan.kind];
  return [
    `job       ${plan.job.id}, run ${plan.job.run} ${how}`,
    `topics    ${prefix}crawl.*`,
    `results   ${out}`,
  ].join("\n");
}
