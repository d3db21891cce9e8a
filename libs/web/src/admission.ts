import { compileScope, type Scope, type ScopeSpec } from "./scope.ts";
import { trapOf } from "./traps.ts";
import { canonicalize, type CanonicalOptions, type CanonicalUrl } from "./url.ts";

/** What of a job decides whether a URL belongs to it. */
export interface AdmissionRules {
  readonly seeds: readonly string[];
  readonly scope: {
    readonly kind: ScopeSpec["kind"];
    readonly allowedDomains: readonly string[];
    readonly include: readonly string[];
    readonly exclude: readonly string[];
    /** `follow`: the look of a trap refuses nothing. */
    readonly traps?: "refuse" | "follow";
  };
  /** How the job's URLs are spelled. */
  readonly canonical?: CanonicalOptions;
  readonly limits: { readonly maxDepth: number | null };
}

/** How a URL was found. */
export interface Found {
  readonly kind: "seed" | "link" | "redirect" | "outlinks" | "sitemap";
  /** Links from a seed. */
  readonly depth: number;
  /** Canonical URL whose scope it inherits: its seed, or where that seed redirected to. */
  readonly root: string | null;
}

export type AdmissionAnswer =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly reason: string; readonly detail: string };

const known = new WeakMap<AdmissionRules, Admission>();

/** The admission of a job, compiled once for each of its records. */
export function admissionOf(rules: AdmissionRules): Admission {
  let admission = known.get(rules);
  if (admission === undefined) {
    admission = new Admission(rules);
    known.set(rules, admission);
  }
  return admission;
}

const yes: AdmissionAnswer = { admitted: true };
const rootsMax = 1000;

/**
 * Decides by depth, scope and the look of a trap whether a URL belongs to a job. In scope is what is in scope of any seed of
 * the job, or of the URL's own root: so a seed's redirect takes the scope along (example.com to
 * www.example.com), and seeds that come later bring their own.
 */
export class Admission {
  readonly #rules: AdmissionRules;
  readonly #scope: Scope | null;
  readonly #roots = new Map<string, Scope>();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
    const seeds = rules.seeds.flatMap((seed) => {
      const url = canonicalize(seed, undefined, rules.canonical);
      return url.kind === "url" ? [url.url] : [];
    });
    this.#scope = seeds.length === 0 ? null : compileScope(this.#spec(seeds));
  }

  decide(url: CanonicalUrl, found: Found): AdmissionAnswer {
    const { maxDepth } = this.#rules.limits;
    if (maxDepth !== null && found.depth > maxDepth) {
      return { admitted: false, reason: "max_depth", detail: `depth ${found.depth} is beyond ${maxDepth}` };
    }
    // A seed, and where a seed redirects to, is what the user asked for.
    if (found.kind === "seed" || found.root === url.url) return yes;
    const trap = this.#rules.scope.traps === "follow" ? null : trapOf(url);
    if (trap !== null) return { admitted: false, ...trap };
    const first = this.#scope?.admits(url);
    if (first?.admitted === true) return yes;
    if (found.root !== null) {
      const second = this.#rootScope(found.root).admits(url);
      return second.admitted ? yes : second;
    }
    return first ?? { admitted: false, reason: "scope_host", detail: "the job has no seed" };
  }

  #rootScope(root: string): Scope {
    let scope = this.#roots.get(root);
    if (scope === undefined) {
      // An open job may see any number of seeds: what is dropped here is only compiled again.
      if (this.#roots.size >= rootsMax) this.#roots.clear();
      scope = compileScope(this.#spec([root]));
      this.#roots.set(root, scope);
    }
    return scope;
  }

  #spec(seeds: string[]): ScopeSpec {
    const { kind, allowedDomains, include, exclude } = this.#rules.scope;
    return { kind, seeds, allowedDomains: [...allowedDomains], include: [...include], exclude: [...exclude] };
  }
}
