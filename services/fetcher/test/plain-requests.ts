import { RequestMaker } from "../src/request-maker.ts";
import { SecretStore } from "../src/secrets.ts";

/** Requests of a fetcher without secrets, straight to the host. */
export const plainRequests = (): RequestMaker =>
  new RequestMaker({
    secrets: new SecretStore({ env: {}, dir: null, monotonicMs: () => 0 }),
    route: {},
    trustedProxies: [],
  });
