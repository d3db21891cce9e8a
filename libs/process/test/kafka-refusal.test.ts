import { SluiceError } from "@sluice/errors";
import { describe, expect, test } from "vitest";
import { kafkaRefusal } from "../src/kafka-refusal.ts";

/** An error of the protocol as the client has it. */
const protocolError = (type: string, message: string): Error => Object.assign(new Error(message), { type });

describe("what brokers refuse", () => {
  test("names the session's setting where the group allows no such timeout, however deep the error lies", () => {
    const refused = protocolError(
      "INVALID_SESSION_TIMEOUT",
      "The session timeout is not within the range allowed by the broker",
    );
    const dead = new SluiceError("SLUICE_CONSUMER_DEAD", "consumer ended", {
      cause: new Error("crashed", { cause: refused }),
    });
    const found = kafkaRefusal(dead, ["k:9092"]);
    expect(found).toMatchObject({ code: "SLUICE_CONFIG_INVALID", field: "SLUICE_SESSION_TIMEOUT_MS" });
    expect(found?.message).toContain(
      "Kafka at k:9092 refuses the session: The session timeout is not within",
    );
    expect(found?.message).toContain("SLUICE_SESSION_TIMEOUT_MS has to lie between");
  });

  test("is no refusal of settings where another try may succeed", () => {
    expect(kafkaRefusal(protocolError("REBALANCE_IN_PROGRESS", "later"), ["k:9092"])).toBeUndefined();
  });
});
