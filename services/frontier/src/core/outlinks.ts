/**
 * What pages of a job with maxDepth lead to, kept by the task of the page. A page may be found by a longer way
 * first: found again by a shorter one it is not fetched again, and what it leads to is announced anew from here.
 */
import { defaultPriority, hostOf, politenessKeyOf, topics, type Job, type Link } from "@sluice/records";
import { registrableDomain, urlIdOf } from "@sluice/web";
import { saidPriority, type Effects } from "./effects.ts";
import type { JobView } from "./job-view.ts";
import { keys } from "./keys.ts";
import { put } from "./put.ts";
import type { FrontierState } from "./state.ts";

/** Durable form: root, redirects, priority, then each URL as how much of the one before it repeats, and the rest. */
export type StoredOutlinks = readonly [
  root: string | null,
  redirects: number,
  priority: number,
  ...urls: string[],
];

/** Keeps a record of outlinks. Where its page has been found by a shorter way since it was released, they are announced at once. */
export function keepOutlinks(
  state: FrontierState,
  view: JobView,
  job: Job,
  link: Link,
  domain: string,
  out: Effects,
): void {
  const { parent, root, redirects, priority = defaultPriority } = link;
  if (parent === null || view.halt !== null) return;
  const known = view.known.get(parent);
  // Its host was dropped since.
  if (known === null) return;
  const value: StoredOutlinks = [root, redirects, priority, ...frontCoded(link.urls)];
  const key = keys.outlinks(view.number, parent, urlIdOf(link.urls[0] ?? ""));
  put(state, out, key, value);
  if (known.depth < link.depth) announce(state, view, job, parent, known.depth, link, domain, out);
}

/**
 * The page is asked for under a session id. Its URL without one, by which it is known as well, leads there like a redirect:
 * so the page comes nearer whatever it is found under.
 */
export function keepAlias(
  state: FrontierState,
  view: JobView,
  plainId: string,
  { url, urlId }: { readonly url: string; readonly urlId: string },
  { root, redirects, priority = defaultPriority }: Link,
  out: Effects,
): void {
  const value: StoredOutlinks = [root, Math.max(1, redirects), priority, ...frontCoded([url])];
  put(state, out, keys.outlinks(view.number, plainId, urlId), value);
}

/** Announces what a page leads to as seen from its new depth. */
export function announceOutlinks(
  state: FrontierState,
  view: JobView,
  job: Job,
  page: { readonly urlId: string; readonly domain: string },
  depth: number,
  out: Effects,
): void {
  const prefix = keys.outlinksOf(view.number, page.urlId);
  for (const [, value] of state.entries.first(prefix, Number.MAX_SAFE_INTEGER)) {
    const [root, redirects, priority, ...coded] = value as StoredOutlinks;
    const found = { root, redirects, priority, urls: frontDecoded(coded) };
    announce(state, view, job, page.urlId, depth, found, page.domain, out);
  }
}

function announce(
  state: FrontierState,
  view: JobView,
  job: Job,
  parent: string,
  pageDepth: number,
  {
    root,
    redirects,
    priority = defaultPriority,
    urls,
  }: Pick<Link, "root" | "redirects" | "priority" | "urls">,
  pageDomain: string,
  out: Effects,
): void {
  // A redirect is no link: what it leads to is as deep as the page itself.
  const isRedirect = redirects > 0;
  const depth = isRedirect ? pageDepth : pageDepth + 1;
  const { maxDepth } = job.limits;
  if (maxDepth !== null && depth > maxDepth) return;
  const byDomain = new Map<string, string[]>();
  for (const url of urls) {
    const domain = url.startsWith(`https://${pageDomain}/`)
      ? pageDomain
      : politenessKeyOf(state.options.politenessKey, hostOf(url), registrableDomain);
    const some = byDomain.get(domain);
    if (some === undefined) byDomain.set(domain, [url]);
    else some.push(url);
  }
  for (const [domain, some] of byDomain) {
    const value: Link = {
      job: view.id,
      run: view.run,
      kind: isRedirect ? "redirect" : "link",
      parent,
      depth,
      root,
      redirects,
      ...saidPriority(priority),
      urls: some,
    };
    out.push({ kind: "send", topic: topics.links.name, key: domain, value });
    view.tally.announced += 1;
  }
}

/** Links of one page begin alike: of each only what differs from the one before is stored. */
export function frontCoded(urls: readonly string[]): readonly string[] {
  let before = "";
  return urls.map((url) => {
    let shared = 0;
    while (shared < before.length && before.charCodeAt(shared) === url.charCodeAt(shared)) shared += 1;
    before = url;
    return `${shared.toString(36)} ${url.slice(shared)}`;
  });
}

export function frontDecoded(coded: readonly string[]): string[] {
  let before = "";
  return coded.map((text) => {
    const space = text.indexOf(" ");
    before = before.slice(0, parseInt(text.slice(0, space), 36)) + text.slice(space + 1);
    return before;
  });
}
