/** Where the API may be bound. */
import { SluiceError } from "@sluice/errors";
import { isLoopback } from "./access.ts";

/** @throws SluiceError SLUICE_CONFIG_INVALID where others could reach it and no token is asked for */
export function checkBinding(host: string, token: string | undefined): void {
  if (token !== undefined || isLoopback(host)) return;
  throw new SluiceError(
    "SLUICE_CONFIG_INVALID",
    `SLUICE_API_HOST is ${JSON.stringify(host)}, which others can reach: SLUICE_API_TOKEN has to be set with it`,
    { field: "SLUICE_API_TOKEN" },
  );
}
