/**
 * Parts of URLs that say who came and from where, not which page it is. They are dropped only where that is asked for:
 * what a server does with a parameter, only the server knows.
 */

/** Names of query parameters, in lower case; one that ends with "*" is a prefix. Advertising, mailing and analytics. */
export const trackingParams: readonly string[] = (
  "utm_* gclid gclsrc dclid gbraid wbraid gad_source fbclid msclkid yclid ymclid twclid ttclid li_fat_id igshid " +
  "mc_cid mc_eid mkt_tok vero_id vero_conv oly_anon_id oly_enc_id _hsenc _hsmi __hstc __hssc __hsfp _ga _gl _openstat " +
  "rb_clickid s_cid ml_subscriber ml_subscriber_hash epik srsltid"
).split(" ");

/** The same of session ids that are always one; `sid` and `s` are only where their value is 32 hexadecimal digits. */
export const sessionParams: readonly string[] =
  "phpsessid jsessionid aspsessionid* cfid cftoken zenid sessionid session_id".split(" ");

const names = { tracking: nameSet(trackingParams), session: nameSet(sessionParams) };

/** @param pair a query parameter in canonical spelling, with or without "=" */
export function isTracking(pair: string): boolean {
  return names.tracking(nameOf(pair));
}

/** @param pair a query parameter in canonical spelling, with or without "=" */
export function isSessionId(pair: string): boolean {
  return names.session(nameOf(pair)) || /^(?:sid|s)=[\da-f]{32}$/i.test(pair);
}

/** The path without `;jsessionid=…` of Java and `/(S(…))` of ASP.NET. */
export function withoutSessionPath(path: string): string {
  if (!path.includes(";") && !path.includes("(")) return path;
  return path.replace(/;jsessionid=[^;/]*/gi, "").replace(/\/\((?:[a-z]\([\da-z]{24}\))+\)(?=\/|$)/gi, "");
}

function nameOf(pair: string): string {
  const equals = pair.indexOf("=");
  return (equals < 0 ? pair : pair.slice(0, equals)).toLowerCase();
}

function nameSet(list: readonly string[]): (name: string) => boolean {
  const whole = new Set(list.filter((name) => !name.endsWith("*")));
  const prefixes = list.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  return (name) => whole.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}
