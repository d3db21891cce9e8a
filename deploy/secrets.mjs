/**
 * Makes what has to be secret on one machine, once: what is there stays.
 *   node secrets.mjs FOLDER
 * `api.env` has the token of the API for node --env-file; `grafana-password` is read by Grafana, which runs as another
 * user. Both lie in a volume that only these two containers mount.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write("usage: node secrets.mjs FOLDER\n");
  process.exit(2);
}

const random = () => randomBytes(32).toString("base64url");

function writeOnce(name, text, mode) {
  try {
    writeFileSync(join(folder, name), text, { flag: "wx", mode });
    process.stdout.write(`${name} is new\n`);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
}

writeOnce("api.env", `SLUICE_API_TOKEN=${random()}\n`, 0o400);
writeOnce("grafana-password", random(), 0o444);
