import { failpoints, type Failpoint, type OnFailpoint } from "@sluice/runtime";
import { SluiceError } from "@sluice/errors";

/** `after_send:3`: the process kills itself, as kill -9 would, when it passes that point for the third time. */
export function killAtFailpoint(text: string): OnFailpoint | undefined {
  if (text === "") return undefined;
  const [name, count] = text.split(":");
  if (!failpoints.includes(name as Failpoint)) {
    throw new SluiceError("SLUICE_CONFIG_INVALID", `SLUICE_FAILPOINT: no failpoint ${name}; there are ${failpoints.join(", ")}`, { field: "SLUICE_FAILPOINT" });
  }
  let left = Number(count);
  return (passed) => {
    if (passed !== name) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, "SIGKILL");
  };
}
