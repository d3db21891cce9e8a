import { brokerConformance } from "../src/conformance.ts";
import { simulation } from "./memory-simulation.ts";

for (const seed of [1, 2, 3, 4, 5]) {
  brokerConformance(`memory broker with seed ${seed}`, () => Promise.resolve(simulation(seed).broker));
}

for (const seed of [11, 12, 13]) {
  const slow = { latency: { minMs: 0, maxMs: 40 }, markerDelayMsMax: 150 };
  const faults = { fetchDelayed: 0.2, lateBatch: 0.8 };
  brokerConformance(`memory broker with seed ${seed} with slow fetches, markers and wires`, () =>
    Promise.resolve(simulation(seed, faults, slow).broker),
  );
}
