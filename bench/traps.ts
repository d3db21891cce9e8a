/**
 * What a site without end costs a crawl of a good one beside it, by kind of trap, through all services on a simulated clock
 * and web: `node bench/traps.ts [good pages] [blogs]`. Prints one line of JSON a kind, and one for a good domain of so many hosts.
 */
import { crawlBesideTrap, crawlBlogs, trapKinds } from "../tests/simulation/traps.ts";

const pages = Number(process.argv[2] ?? 2000);
const blogs = Number(process.argv[3] ?? 3000);
for (const kind of trapKinds) {
  const { goodPages, goodHad, trapRequests, wastedShare, refusedBy, skippedBy } = await crawlBesideTrap(
    kind,
    pages,
  );
  process.stdout.write(
    `${JSON.stringify({
      bench: "traps",
      kind,
      good_pages: goodPages,
      good_had: goodHad,
      trap_requests: trapRequests,
      wasted_share: wastedShare,
      refused_by: refusedBy,
      skipped_by: skippedBy,
    })}\n`,
  );
}
process.stdout.write(
  `${JSON.stringify({ bench: "traps", kind: "none", blogs, blogs_had: await crawlBlogs(blogs) })}\n`,
);
