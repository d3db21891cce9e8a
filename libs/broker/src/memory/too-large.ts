/** The one refusal that callers handle by itself: it has the product's own code. */
import { SluiceError } from "@sluice/errors";
import { isBrokerError } from "./broker-error.ts";

/** Wraps the broker's refusal of a record's size; leaves other errors as they are. */
export function sendFailure(error: unknown): unknown {
  if (!isBrokerError(error, "MESSAGE_TOO_LARGE")) return error;
  return new SluiceError("SLUICE_RECORD_TOO_LARGE", "a record is larger than its topic allows", {
    cause: error,
  });
}
