/** Names of hosts and patterns of them in the path of a request. */
import { domainToASCII } from "node:url";
import { z } from "zod";
import { policyPatternSchema } from "@sluice/records";

/** As people write names: capitals and letters beyond ASCII are taken for what they mean. */
export const patternParam = z
  .string()
  .max(300)
  .transform((text) => {
    const [, before = "", name = ""] = /^(\*?\.)?(.*)$/s.exec(text) ?? [];
    return name === "*" || name.startsWith("[") ? text.toLowerCase() : before + domainToASCII(name);
  })
  .pipe(policyPatternSchema)
  .meta({ description: policyPatternSchema.description });
