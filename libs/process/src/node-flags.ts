/**
 * How Node.js is started for a service. By itself V8 gives the young generation more memory in large steps, up to
 * 128 MB, each after minutes or hours, which looks like a leak and uses up what a container was given. So it has its
 * full size from the start: two halves of 16 MB.
 */
export const nodeFlags = ["--min-semi-space-size=16", "--max-semi-space-size=16"] as const;

/**
 * Environment of a service, beneath what its user says: the allocator gives what is as large as a piece of a body back to
 * the system at once. By itself glibc raises these limits to the largest block that it has freed, up to 32 MiB, and then keeps
 * such blocks in each of its arenas (mallopt(3)). Other allocators don't read them.
 */
export const nodeEnvironment = {
  MALLOC_MMAP_THRESHOLD_: "262144",
  MALLOC_TRIM_THRESHOLD_: "262144",
} as const;
