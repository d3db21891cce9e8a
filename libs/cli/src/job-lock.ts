/** One command at a time crawls a job: its services have fixed names and write one file. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SluiceError } from "@sluice/errors";
import { identityOf, isAlive, killAndAwait, type ProcessIdentity } from "./process-identity.ts";

interface Holder {
  readonly command: ProcessIdentity;
  readonly services: readonly ProcessIdentity[];
}

export class JobLock {
  readonly #path: string;
  readonly #self: ProcessIdentity;

  private constructor(path: string, self: ProcessIdentity) {
    this.#path = path;
    this.#self = self;
  }

  /**
   * Takes the lock. What a command that was killed has left running is ended first: nothing is lost by it,
   * and two writers of one file would be worse.
   * @throws SluiceError SLUICE_JOB_CONFLICT where another command crawls the job
   */
  static take(folder: string, job: { readonly id: string; readonly prefix: string }): Promise<JobLock> {
    return JobLock.takeFile(join(folder, `${job.prefix}lock`), (pid) => ({
      field: "--job",
      message: `--job: process ${pid} is crawling ${job.id} now`,
    }));
  }

  /** @param conflict what is said where the command with that process id has it */
  static async takeFile(
    path: string,
    conflict: (pid: number) => { readonly field: string; readonly message: string },
  ): Promise<JobLock> {
    mkdirSync(dirname(path), { recursive: true });
    const self = identityOf(process.pid);
    const lock = new JobLock(path, self);
    while (!lock.#tryTake()) {
      const holder = readHolder(path);
      if (holder === null) continue;
      if (isAlive(holder.command)) {
        const { field, message } = conflict(holder.command.pid);
        throw new SluiceError("SLUICE_JOB_CONFLICT", message, { field });
      }
      await Promise.all(holder.services.map(killAndAwait));
      rmSync(path, { force: true });
    }
    return lock;
  }

  /** Notes the services that run, for whoever comes after a sudden death. */
  note(pids: readonly number[]): void {
    this.#write(`${this.#path}.${this.#self.pid}`, pids);
    renameSync(`${this.#path}.${this.#self.pid}`, this.#path);
  }

  release(): void {
    rmSync(this.#path, { force: true });
  }

  #tryTake(): boolean {
    const draft = `${this.#path}.${this.#self.pid}`;
    this.#write(draft, []);
    try {
      linkSync(draft, this.#path);
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  #write(path: string, pids: readonly number[]): void {
    const holder: Holder = { command: this.#self, services: pids.map(identityOf) };
    writeFileSync(path, JSON.stringify(holder));
  }
}

/** Null where the file has gone meanwhile. */
function readHolder(path: string): Holder | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  return JSON.parse(text) as Holder;
}
