/** The real page on a server whose every answer and every event a test decides. */
import type { ServerResponse } from "node:http";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { addPageRoutes, type StreamEvent } from "@sluice/api";
import { jobSchema, jobStatusSchema, type JobInput, type JobStatus } from "@sluice/records";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: FastifyRequest["headers"];
  readonly body: unknown;
}

interface Scripted {
  readonly status: number;
  readonly body: object;
}

/** One open stream, seen from the server. */
export class ServedStream {
  readonly job: string;
  readonly lastEventId: string | undefined;
  readonly #raw: ServerResponse;

  constructor(job: string, lastEventId: string | undefined, raw: ServerResponse) {
    this.job = job;
    this.lastEventId = lastEventId;
    this.#raw = raw;
  }

  /** Anything, also what is no event at all. */
  sendText(text: string): void {
    this.#raw.write(text);
  }

  /** @param id null: without one, as events of the stream itself come */
  send(event: StreamEvent, id: string | null): void {
    const head = id === null ? "" : `id: ${id}\n`;
    this.sendText(`${head}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  /** The answer ends in order. */
  end(): void {
    this.#raw.end();
  }

  /** As when a machine goes away. */
  cut(): void {
    this.#raw.destroy();
  }
}

const withinMs = 20_000;

export class PageApp {
  readonly asked: Asked[] = [];
  /** Null: nobody is asked for one. */
  token: string | null = null;
  /** How soon a lost stream is asked for again. */
  retryMs = 150;
  readonly #app = Fastify({ forceCloseConnections: true });
  readonly #jobs = new Map<string, object>();
  /** Answers of the next requests, by `METHOD /path`. */
  readonly #scripted = new Map<string, Scripted[]>();
  /** What the next requests bring about, by `METHOD /path`. */
  readonly #consequences = new Map<string, () => void>();
  readonly #streams: ServedStream[] = [];
  #onStream: () => void = () => undefined;
  #url = "";

  static async start(): Promise<PageApp> {
    const made = new PageApp();
    made.#app.all("/v1/*", (request, reply) => made.#answer(request, reply));
    addPageRoutes(made.#app);
    made.#url = `${await made.#app.listen({ host: "127.0.0.1", port: 0 })}/`;
    return made;
  }

  get url(): string {
    return this.#url;
  }

  close(): Promise<void> {
    return this.#app.close();
  }

  /** The list has the job from now on. */
  setJob(input: JobInput & { readonly id: string }, said: Partial<JobStatus> | null = {}): void {
    const { seeds, ...job } = jobSchema.parse({ seeds: ["https://site.example/"], ...input });
    const status = said === null ? null : jobStatusSchema.parse({ ...statusOf(job.id, job.run), ...said });
    const links = { self: `/v1/jobs/${job.id}`, events: "", results: "" };
    const state = status?.state ?? "submitted";
    this.#jobs.set(job.id, {
      id: job.id,
      run: job.run,
      state,
      status,
      links,
      job,
      seedsCount: seeds.length,
    });
  }

  /** The next such request gets this answer. */
  script(request: string, status: number, body: object): void {
    this.#scripted.set(request, [...(this.#scripted.get(request) ?? []), { status, body }]);
  }

  /** The next such request that is not scripted does this: what the page looks at does not change under its hands. */
  onNext(request: string, act: () => void): void {
    this.#consequences.set(request, act);
  }

  /** Requests so far, e.g. `POST /v1/jobs`. */
  askedFor(request: string): readonly Asked[] {
    return this.asked.filter(({ method, path }) => `${method} ${path}` === request);
  }

  /** The next stream that a page has asked for. */
  async stream(): Promise<ServedStream> {
    const found = this.#streams.shift();
    if (found !== undefined) return found;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("nobody has asked for a stream")), withinMs);
      this.#onStream = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return this.stream();
  }

  #answer(request: FastifyRequest, reply: FastifyReply): unknown {
    const path = request.url.split("?")[0] ?? "";
    const { method, headers, body } = request;
    this.asked.push({ method, path, headers, body });
    if (this.token !== null && headers.authorization !== `Bearer ${this.token}`)
      return sendProblem(reply, 401, { detail: "This needs the bearer token.", errors: [] });
    const scripted = this.#scripted.get(`${method} ${path}`)?.shift();
    if (scripted !== undefined) {
      if (scripted.status >= 400) return sendProblem(reply, scripted.status, scripted.body);
      return reply.code(scripted.status).send(scripted.body);
    }
    this.#consequences.get(`${method} ${path}`)?.();
    this.#consequences.delete(`${method} ${path}`);
    if (path === "/v1/jobs") return reply.send({ jobs: [...this.#jobs.values()], next: null });
    const job = /^\/v1\/jobs\/([^/]+)\/events$/.exec(path)?.[1];
    if (job === undefined) return reply.code(202).send({});
    if (!this.#jobs.has(job))
      return sendProblem(reply, 404, { detail: `There is no job ${job}.`, errors: [] });
    return this.#serve(job, request, reply);
  }

  #serve(job: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    reply.hijack();
    reply.raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    reply.raw.write(`retry: ${this.retryMs}\n\n`);
    const last = request.headers["last-event-id"];
    this.#streams.push(new ServedStream(job, typeof last === "string" ? last : undefined, reply.raw));
    this.#onStream();
    return reply;
  }
}

function sendProblem(reply: FastifyReply, status: number, body: object): FastifyReply {
  const all = { type: "about:blank", title: "", instance: "", status, ...body };
  return reply.code(status).type("application/problem+json").send(JSON.stringify(all));
}

function statusOf(job: string, run: number): object {
  const startedAtMs = Date.now() - 60_000;
  return {
    kind: "job",
    job,
    run,
    state: "running",
    finishReason: null,
    error: null,
    admitted: 0,
    done: 0,
    failed: 0,
    skipped: 0,
    refused: 0,
    waiting: 0,
    inFlight: 0,
    startedAtMs,
    endedAtMs: null,
    updatedAtMs: startedAtMs,
  };
}
