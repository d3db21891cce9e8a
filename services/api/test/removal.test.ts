import { topics } from "@sluice/records";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Api } from "../src/api.ts";
import { apiWorld, ask, layout, statusRecord, submission, type ApiWorld } from "./api-world.ts";

let world: ApiWorld;
let api: Api;

beforeEach(async () => {
  world = await apiWorld();
  api = await world.replica("api-1");
});
afterEach(() => world.close());

const submit = (id: string) => ask(api, "POST", "/v1/jobs", submission({ id }));
const over = (job: string, run = 1, endedAtMs = world.clock.nowMs()) =>
  statusRecord(job, run, { state: "ended", finishReason: "completed", endedAtMs });
const removedKeys = () =>
  world.cluster
    .committed(layout.prefix + topics.jobs.name)
    .flat()
    .filter(({ value }) => value === null)
    .map(({ key }) => key?.toString("utf8"));

describe("removing a job", () => {
  it("takes its record away, on every replica, and leaves the id for a new one", async () => {
    const other = await world.replica("api-2");
    await submit("done");
    await world.write([over("done")]);
    expect((await ask(api, "DELETE", "/v1/jobs/done")).status).toBe(204);
    expect(removedKeys()).toEqual(["done"]);
    for (const each of [api, other]) expect((await ask(each, "GET", "/v1/jobs/done")).status).toBe(404);
    expect((await ask(api, "DELETE", "/v1/jobs/done")).status).toBe(404);
    // The frontier removes what it has said of the job.
    await world.write([{ ...over("done"), value: null }]);
    expect((await submit("done")).status).toBe(201);
  });

  it("has the id go on with the next run, whatever is known of its status, on every replica and one that starts later", async () => {
    await submit("again");
    await world.write([over("again", 4)]);
    expect((await ask(api, "DELETE", "/v1/jobs/again")).status).toBe(204);
    expect((await submit("again")).body["run"]).toBe(5);
    await world.write([over("again", 5)]);
    expect((await ask(api, "DELETE", "/v1/jobs/again")).status).toBe(204);
    await world.write([{ ...over("again"), value: null }]);
    api = await world.replica("api-2");
    expect((await submit("again")).body["run"]).toBe(6);
    // One that somebody else removed says nothing.
    await world.write([{ ...over("again"), topic: layout.prefix + topics.jobs.name, value: null }]);
    await world.until(async () => (await ask(api, "GET", "/v1/jobs/again")).status === 404);
    expect((await submit("again")).body["run"]).toBe(1);
  });

  it("is refused while it has not ended, and where it runs again", async () => {
    await submit("busy");
    expect((await ask(api, "DELETE", "/v1/jobs/busy")).status).toBe(409);
    await world.write([over("busy")]);
    await world.until(async () => (await submit("busy")).status === 201);
    expect((await ask(api, "DELETE", "/v1/jobs/busy")).status).toBe(409);
    expect((await ask(api, "DELETE", "/v1/jobs/default")).status).toBe(404);
    expect(removedKeys()).toEqual([]);
  });
});

describe("a job that has ended", () => {
  const keptMs = 10_000;

  it("is removed when it was kept as long as is set, by one of the replicas, and others are not", async () => {
    for (const name of ["api-2", "api-3"]) await world.replica(name, { jobsKeptMs: keptMs });
    for (const id of ["old", "young", "running"]) await submit(id);
    await world.write([over("old"), statusRecord("running", 1)]);
    await world.pass(keptMs / 2);
    await world.write([over("young")]);
    await world.pass(keptMs / 4);
    expect(removedKeys()).toEqual([]);
    await world.pass(keptMs / 2);
    expect(removedKeys()).toEqual(["old"]);
    expect((await ask(api, "GET", "/v1/jobs/young")).status).toBe(200);
    await world.pass(keptMs / 2);
    expect(removedKeys().sort()).toEqual(["old", "young"]);
    expect((await ask(api, "GET", "/v1/jobs/running")).status).toBe(200);
  });

  it("is kept where it was crawled again in time", async () => {
    await world.replica("api-2", { jobsKeptMs: keptMs });
    await submit("again");
    await world.write([over("again")]);
    await world.pass(keptMs / 2);
    expect((await submit("again")).status).toBe(201);
    await world.pass(2 * keptMs);
    expect(removedKeys()).toEqual([]);
  });
});
