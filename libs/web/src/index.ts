export {
  canonicalize,
  canonicalizer,
  canonicalRulesVersion,
  rawUrlCharsMax,
  recanonicalize,
  urlCharsMax,
  urlIdOf,
  type CanonicalOptions,
  type CanonicalUrl,
  type UrlRefusal,
  type UrlRefusalReason,
} from "./url.ts";
export { sessionParams, trackingParams } from "./url-noise.ts";
export { trapOf, type Trap, type TrapReason } from "./traps.ts";
export { kinshipOf, type Kin } from "./kinship.ts";
export { isDay, suspicionOf, suspicions, type Suspicion } from "./suspicion.ts";
export { withoutSessionId } from "./session.ts";
export { registrableDomain } from "./registrable-domain.ts";
export {
  parseRobots,
  robotsForStatus,
  robotsRedirectsMax,
  type Robots,
  type RobotsDecision,
  type RobotsStatusRule,
} from "./robots.ts";
export { robotsBytesMax } from "./robots-lines.ts";
export { httpDateMs } from "./http-date.ts";
export { retryAfterMs } from "./retry-after.ts";
export { noRobotsFlags, robotsTag, unionOfFlags, type RobotsFlags } from "./robots-tag.ts";
export { isHtml, parseContentType, type ContentType } from "./content-type.ts";
export { decodeBody, type DecodedBody } from "./charset.ts";
export { scanHtml, type PageScan, type ScanOptions } from "./html.ts";
export { readHtml, readPage, robotsToken, type HtmlPage, type PageFacts } from "./page-facts.ts";
export {
  sitemapBytesMax,
  sitemapIndexDepthMax,
  sitemapUrlsMax,
  SitemapParser,
  type Sitemap,
  type SitemapEntry,
  type SitemapKind,
} from "./sitemap.ts";
export { readSitemap } from "./sitemap-body.ts";
export { sitemapLinks, sitemapLinksCharsMax, type SitemapLinks, type SitemapPage } from "./sitemap-links.ts";
export { type LinkKind, type PageLink } from "./page-links.ts";
export { classifyAddress, parseCidr, type AddressDecision, type Cidr } from "./address.ts";
export { compileGlob, GlobError, globCharsMax, type Glob } from "./glob.ts";
export {
  compileScope,
  ScopeError,
  type Scope,
  type ScopeDecision,
  type ScopeKind,
  type ScopeRefusalReason,
  type ScopeSpec,
} from "./scope.ts";
export {
  admissionOf,
  type Admission,
  type AdmissionAnswer,
  type AdmissionRules,
  type Found,
} from "./admission.ts";
