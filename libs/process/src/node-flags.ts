/**
 * How Node.js is started for a service. By itself V8 gives the young generation more memory in large steps, up to
 * 128 MB, each after minutes or hours, which looks like a leak and uses up what a container was given. So it has its
 * full size from the start: two halves of 16 MB.
 */
export const nodeFlags = ["--min-semi-space-size=16", "--max-semi-space-size=16"] as const;
