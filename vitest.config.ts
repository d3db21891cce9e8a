import { defineConfig } from "vitest/config";

/**
 * Generous: machines are slow and noisy, many tests run beside others that want the cores, and no test asserts how long
 * something takes.
 */
const testTimeout = 300_000;
const hookTimeout = 300_000;
const expect = { poll: { timeout: 60_000 } };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["libs/*/test/**/*.test.ts", "services/*/test/**/*.test.ts", "tests/chaos/**/*.test.ts"],
          testTimeout,
          hookTimeout,
          expect,
        },
      },
      {
        test: {
          name: "architecture",
          include: ["tests/{architecture,monitoring}/**/*.test.ts"],
          testTimeout,
          hookTimeout,
          expect,
        },
      },
      {
        test: {
          name: "kubernetes",
          include: ["tests/kubernetes/**/*.test.ts"],
          testTimeout,
          hookTimeout,
          expect,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "pipeline",
          include: ["tests/{pipeline,simulation}/**/*.test.ts"],
          testTimeout,
          hookTimeout,
          expect,
        },
      },
      {
        test: {
          name: "hostile",
          include: ["tests/hostile/**/*.test.ts"],
          testTimeout,
          hookTimeout,
          expect,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "docker",
          include: ["tests/docker/**/*.test.ts"],
          testTimeout,
          hookTimeout,
          expect,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "page",
          include: ["tests/page/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "kafka",
          include: ["tests/{kafka,downstream}/**/*.test.ts"],
          exclude: ["tests/kafka/chaos.test.ts"],
          globalSetup: ["tests/kafka/broker-setup.ts"],
          testTimeout: 600_000,
          hookTimeout,
          expect,
          fileParallelism: false,
        },
      },
      {
        test: {
          // By itself: what it does to processes and to the broker is hard enough on a machine.
          name: "chaos",
          include: ["tests/kafka/chaos.test.ts"],
          testTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
