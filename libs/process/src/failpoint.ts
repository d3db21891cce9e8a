import { failpoints, type Failpoint, type OnFailpoint } from "@sluice/runtime";
import { SluiceError } from "@sluice/errors";

/**
 * `after_send:3`: the process kills itself, as kill -9 would, when it passes that point for the third time;
 * without a number, for the first time. Empty text: undefined. Throws where it means nothing: a test that
 * silently kills nobody would prove nothing.
 */
export function killAtFailpoint(text: string, kill: () => void = killMyself): OnFailpoint | undefined {
  if (text === "") return undefined;
  const [name, count = "1", ...rest] = text.split(":");
  const invalid = (message: string): SluiceError =>
    new SluiceError("SLUICE_CONFIG_INVALID", `SLUICE_FAILPOINT: ${message}`, { field: "SLUICE_FAILPOINT" });
  if (!failpoints.includes(name as Failpoint))
    throw invalid(`no failpoint ${name}; there are ${failpoints.join(", ")}`);
  if (!/^[1-9]\d*$/.test(count) || rest.length > 0)
    throw invalid(`${text} is not a name and a number from 1 on`);
  let left = Number(count);
  return (passed) => {
    if (passed !== name) return;
    left -= 1;
    if (left === 0) kill();
  };
}

function killMyself(): void {
  process.kill(process.pid, "SIGKILL");
}
