/** Names of jobs and the prefixes of their topics. */
import { hash } from "node:crypto";
import type { ScopeKind } from "@sluice/records";

export interface NamedScope {
  readonly kind: ScopeKind;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly sitemaps?: "ignore" | "follow";
}

const hostCharsMax = 60;

/**
 * `<host>-<8 hex>`: the same for the same seeds and scope, in whatever order they are given.
 * @param seeds canonical URLs, at least one
 */
export function defaultJobName(seeds: readonly string[], scope: NamedScope): string {
  const sorted = inOrder(seeds);
  const parts = [sorted, scope.kind, inOrder(scope.include), inOrder(scope.exclude)];
  // Only where it is set: names of jobs that do without are those of versions that had no such option.
  const text = JSON.stringify(scope.sitemaps === "follow" ? [...parts, "sitemaps"] : parts);
  return `${slug(new URL(sorted[0] ?? "http://none/").hostname)}-${hash("sha256", text, "hex").slice(0, 8)}`;
}

/**
 * Topics, groups and transactional ids of a job begin with its name. Kafka's names allow less than ours and
 * confuse '.' with '_' in metrics: a name that cannot stand as it is gets a hash instead.
 */
export function prefixOf(job: string): string {
  if (/^[a-z0-9][a-z0-9.-]{0,79}$/.test(job)) return `${job}.`;
  return `${slug(job)}-${hash("sha256", job, "hex").slice(0, 8)}.`;
}

function slug(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, "-")
    .slice(0, hostCharsMax);
  return plain.replaceAll(/^[.-]+|[.-]+$/g, "") || "job";
}

const inOrder = (texts: readonly string[]): readonly string[] => [...new Set(texts)].sort();
