import { SluiceError, messageOf } from "@sluice/errors";

/** A file of the state can't be read or written, which ends the service. */
export const stateFailed = (path: string, what: string, error: unknown): SluiceError =>
  new SluiceError("SLUICE_STATE_FAILED", `${path} ${what}: ${messageOf(error)}`, { cause: error });
