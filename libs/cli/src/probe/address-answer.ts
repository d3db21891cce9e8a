/** Whether an address, or what a URL's host leads to, may be asked. */
import { isIP } from "node:net";
import { hostResolver } from "@sluice/http";
import { canonicalize, classifyAddress, type Cidr } from "@sluice/web";
import type { Answer } from "./page-answers.ts";
import type { Question } from "./question.ts";

const addressesMax = 64;

/** Answers as the crawler connects: of several addresses of a name it asks those that are allowed. */
export function addressAnswers(allow: readonly Cidr[]): (question: Question) => Promise<Answer> {
  const resolveHost = hostResolver();
  return async (question) => {
    if (question.has("address")) return { ...classifyAddress(question.text("address"), allow) };
    const url = canonicalize(question.text("url"));
    if (url.kind === "refused") return { allowed: false, reason: `${url.reason}: ${url.detail}` };
    const host = url.domain.replace(/^\[(.*)\]$/, "$1");
    let found: readonly string[];
    try {
      found = isIP(host) === 0 ? (await resolveHost(host)).addresses : [host];
    } catch (error) {
      return { allowed: false, reason: `dns: ${codeOf(error)}`, addresses: [] };
    }
    const addresses = found
      .slice(0, addressesMax)
      .map((address) => ({ address, ...classifyAddress(address, allow) }));
    const first = addresses.find(({ allowed }) => allowed) ?? addresses[0];
    return {
      allowed: first?.allowed ?? false,
      reason: first?.reason ?? "dns: the name has no address",
      addresses,
    };
  };
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" ? code : String(error);
}
