/** Hosts of a few registrable domains for jobs with limits: each job has a tree of pages of its own on all of them. */
import { htmlPage, type Page } from "../fleet/origin.ts";

export const domains = ["a.test", "b.test", "c.test"] as const;
export const hostsPerDomain = 4;
/** Of one job on one host, its beginning included. */
export const pagesPerHost = 11;

export const hostNames: readonly string[] = domains.flatMap((domain) =>
  Array.from({ length: hostsPerDomain }, (_, number) => `h${number}.${domain}`),
);
/** The first of them is where each job begins. */
export const firstHost = "h0.a.test";
const lateHost = "h1.a.test";
const nearHost = "h2.a.test";

/** Links of a page, by host name and path; null where there is none. */
function linksOf(host: string, path: string, url: (host: string, path: string) => string): readonly string[] {
  const [, job = "", page = ""] = path.split("/");
  // Two clicks away by what is read at once, and one by a page that takes its time.
  if (job === "nearer") {
    if (host === firstHost && page === "") return [url(firstHost, "/nearer/way")];
    if (page === "way") return [url(nearHost, "/nearer/page")];
    if (page === "late") return [url(nearHost, "/nearer/page")];
    return page === "page" ? [url(firstHost, "/nearer/behind")] : [];
  }
  if (page !== "" || ["urgent", "major", "minor"].includes(job)) return [];
  const own = Array.from({ length: pagesPerHost - 1 }, (_, number) => `/${job}/${number}`);
  return [...own, ...hostNames.map((other) => url(other, `/${job}/`))];
}

export function limitedPage(host: string, path: string, url: (host: string, path: string) => string): Page {
  if (path === "/robots.txt") return { status: 404 };
  const page = htmlPage(`${host}${path}`, linksOf(host, path, url));
  return host === lateHost && path === "/nearer/late" ? { ...page, afterMs: 2500 } : page;
}
