import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Gates } from "../src/core/gates.ts";
import { JobHosts } from "../src/core/job-hosts.ts";

const registrableOf = (host: string): string => host.split(".").slice(-2).join(".");
const hosts = Array.from({ length: 24 }, (_, number) =>
  `h${number % 6}.d${number >> 3}.example`.replace("h0.", ""),
);
const runs = 2000;

test("hosts of one registrable domain are those of all hosts that are of it, whenever that is asked", () => {
  const change = fc.record({
    kind: fc.constantFrom("add", "add", "delete", "ask", "clear"),
    host: fc.constantFrom(...hosts),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const jobHosts = new JobHosts(registrableOf);
      const model = new Set<string>();
      for (const { kind, host } of changes) {
        if (kind === "add") jobHosts.add(host);
        else if (kind === "delete") jobHosts.delete(host);
        else if (kind === "clear") jobHosts.clear();
        else {
          const registrable = registrableOf(host);
          expect(new Set(jobHosts.of(registrable))).toEqual(
            new Set([...model].filter((each) => registrableOf(each) === registrable)),
          );
        }
        if (kind === "add") model.add(host);
        else if (kind === "delete") model.delete(host);
        else if (kind === "clear") model.clear();
        expect([...jobHosts]).toEqual([...model]);
        expect([jobHosts.size, jobHosts.has(host)]).toEqual([model.size, model.has(host)]);
      }
    }),
    { numRuns: runs },
  );
});

test("hosts of one registrable domain are found without a look at the others", () => {
  let looks = 0;
  const jobHosts = new JobHosts((host) => {
    looks += 1;
    return registrableOf(host);
  });
  for (let number = 0; number < 10_000; number += 1) jobHosts.add(`www.site-${number}.example`);
  // A job that never asks pays nothing.
  expect(looks).toBe(0);
  jobHosts.add("www.wanted.example");
  expect([...jobHosts.of("wanted.example")]).toEqual(["www.wanted.example"]);
  expect(looks).toBe(10_001);
  for (let time = 0; time < 1000; time += 1) expect([...jobHosts.of("wanted.example")]).toHaveLength(1);
  jobHosts.add("shop.wanted.example");
  jobHosts.add("shop.wanted.example");
  jobHosts.delete("www.wanted.example");
  expect([...jobHosts.of("wanted.example")]).toEqual(["shop.wanted.example"]);
  expect(looks).toBe(10_003);
});

test("a domain waits for one budget at a time, those that wait longest go first, and what waits is summed up", () => {
  const names = ["n/a.example", "d/a.example", "d/b.example"];
  const change = fc.record({
    kind: fc.constantFrom("close", "close", "open", "openSome", "count"),
    domain: fc.constantFrom(...hosts),
    name: fc.constantFrom(...names),
    number: fc.constantFrom(0, 1, 2, 3, Infinity),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const gates = new Gates();
      const model = new Map<string, string>();
      const fresh = new Map<string, number>();
      for (const { kind, domain, name, number } of changes) {
        if (kind === "close") {
          const count = fresh.get(domain) ?? 0;
          gates.close(domain, name, count);
          if (model.get(domain) === name) continue;
          // It waits behind all that waited before.
          model.delete(domain);
          model.set(domain, name);
        } else if (kind === "count") {
          gates.count(domain, 1);
          fresh.set(domain, (fresh.get(domain) ?? 0) + 1);
        } else if (kind === "open") {
          gates.open(domain);
          model.delete(domain);
        } else {
          const waiting = [...model].filter(([, waitsFor]) => waitsFor === name).map(([each]) => each);
          const hasRoom = number > 0 || waiting.length % 2 === 1;
          expect(gates.openSome(name, number, hasRoom)).toEqual(waiting.slice(0, number));
          for (const each of waiting.slice(0, number)) model.delete(each);
          expect(gates.opening.has(name)).toBe(hasRoom && waiting.length > number);
        }
        expect(new Set(gates.domains())).toEqual(new Set(model.keys()));
        expect([gates.get(domain), gates.has(domain)]).toEqual([model.get(domain), model.has(domain)]);
        let sum = 0;
        for (const each of model.keys()) sum += fresh.get(each) ?? 0;
        expect(gates.fresh).toBe(sum);
        const others = [...model].filter(([each, waitsFor]) => waitsFor === name && each !== domain);
        expect(gates.othersFor(name, domain)).toBe(others.length);
      }
    }),
    { numRuns: runs },
  );
});
