/** One suite for every implementation of the broker port; simulation is worth what this suite is. */
import { describe, it } from "vitest";
import { adminCases } from "./conformance/admin-cases.ts";
import { groupCases } from "./conformance/group-cases.ts";
import { logCases } from "./conformance/log-cases.ts";
import { readingCases } from "./conformance/reading-cases.ts";
import { transactionCases } from "./conformance/transaction-cases.ts";
import { type ConformanceBroker, type ConformanceCase, World } from "./conformance/world.ts";

export type { ConformanceBroker, ConformanceCase, Need, OpenTransaction } from "./conformance/world.ts";

/** Defines the suite; `make` is called once for each case. */
export function brokerConformance(name: string, make: () => Promise<ConformanceBroker>): void {
  const parts: Readonly<Record<string, readonly ConformanceCase[]>> = {
    log: logCases,
    transactions: transactionCases,
    groups: groupCases,
    reading: readingCases,
    admin: adminCases,
  };
  let number = 0;
  describe(`${name} conforms to the broker port`, () => {
    for (const [part, cases] of Object.entries(parts)) {
      describe(part, () => {
        for (const { name: sentence, needs, run } of cases) {
          it(sentence, async (test) => {
            const broker = await make();
            if (needs !== undefined && broker[needs] === undefined) {
              await broker.close();
              test.skip(`this broker under test has no ${needs}`);
              return;
            }
            const world = new World(broker, number++);
            try {
              await run(world);
            } finally {
              await world.close();
            }
          });
        }
      });
    }
  });
}
