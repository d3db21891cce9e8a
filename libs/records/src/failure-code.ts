/** Codes of failed requests as results tell them in `error_code`, and what each means. */

/** Those that a name stands for alone. Ours, Node's (`errno`, c-ares), undici's, OpenSSL's and zlib's. */
const exactCodes = {
  ABORT_ERR: "given up by ourselves: the job was cancelled, the host blocked, or the process ends",
  ADDRESS_REFUSED: "the address is not public",
  BODY_TOO_LARGE: "the body is above the job's limit",
  FRAMING_TOO_LARGE: "what frames the body is far larger than the body may be",
  HEAD_TOO_LARGE: "the status line and header are larger than any page needs",
  MEMORY_SHORT: "a slow body had to go, since all of them share a limit",
  PROXY_CLOSED: "the proxy closed the connection",
  PROXY_PROTOCOL: "the proxy answered what is no answer to CONNECT",
  PROXY_REFUSED: "the proxy refused the connection",
  SECRET_UNUSABLE: "a secret that is named is missing or not bound to an origin",
  TOO_MANY_CODINGS: "more layers of content coding than a page has",
  TOTAL_TIMEOUT: "not complete by the total deadline",
  UNSUPPORTED_SCHEME: "neither http nor https",
  ERR_INVALID_URL: "not an absolute URL",
  ERR_ASSERTION: "an answer that the client takes for impossible, such as a status below 100",
  EADDRINUSE: "no local port is free",
  EADDRNOTAVAIL: "the local address can't be used",
  EAI_AGAIN: "the name server does not answer",
  ECANCELLED: "the look-up of the name was given up",
  ECONNABORTED: "the connection ended before it stood",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the host ended the connection",
  EHOSTUNREACH: "no way to the host",
  EMFILE: "this process has too many files open",
  ENETDOWN: "the network is down",
  ENETUNREACH: "no way to the network",
  ENFILE: "this machine has too many files open",
  ENODATA: "the name has no address",
  ENOTFOUND: "the name does not exist",
  EPIPE: "the host had closed the connection",
  EPROTO: "TLS failed",
  EREFUSED: "the name server refuses to answer",
  ESERVFAIL: "the name server failed",
  EFORMERR: "the name server could not read the question",
  EBADNAME: "no name that can be asked for",
  EBADRESP: "the name server's answer can't be read",
  ETIMEDOUT: "no connection in the time of the operating system",
  ETIMEOUT: "the name server did not answer in time",
  HTTPParserError: "not HTTP, or not as strict as it has to be",
  UND_ERR_BODY_TIMEOUT: "a pause in the body was too long",
  UND_ERR_CLOSED: "the client is closed",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_DESTROYED: "the client is gone",
  UND_ERR_HEADERS_OVERFLOW: "more header fields than are read",
  UND_ERR_HEADERS_TIMEOUT: "no header in time",
  UND_ERR_INVALID_ARG: "a request that can't be written, by its URL or its header",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the body is not as long as the header says",
  UND_ERR_SOCKET: "the host ended the connection, or answered what was not asked",
  Z_BUF_ERROR: "the coded body ends too early",
  Z_DATA_ERROR: "the body is not coded as the header says",
  Z_NEED_DICT: "the body is coded with a dictionary that nobody gave",
} as const;

/** Those of one beginning, told together: their number is the libraries' to choose. */
const families = {
  "CERT_*": "the certificate is not valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the chain of certificates ends in one that is not trusted",
  "UNABLE_TO_*": "the chain of certificates can't be completed",
  "ERR_SSL_*": "TLS failed",
  "ERR_TLS_*": "TLS failed, or the certificate is for another name",
  "HPE_*": "not HTTP, or not as strict as it has to be",
  "ERR__ERROR_*": "the brotli decoder does not accept the body",
  "ZSTD_error_*": "the zstd decoder does not accept the body",
} as const;

export const failureCodes: Readonly<Record<string, string>> = { ...exactCodes, ...families };

/** Of a request that did not fail, and has no page even so. */
export const notRead = {
  code: "NOT_READ",
  about: "the page came, and could not be read within its limits of time and memory",
} as const;

/** What a code is counted under that the table does not have. */
export const unlistedCode = "unlisted";

/** The row of the table that a code belongs to; `unlisted` where there is none. */
export function listedCode(code: string): string {
  if (Object.hasOwn(failureCodes, code) && !code.endsWith("*")) return code;
  for (const family of Object.keys(families))
    if (family.endsWith("*") && code.startsWith(family.slice(0, -1))) return family;
  return unlistedCode;
}
