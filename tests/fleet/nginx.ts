import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const startLimitMs = 10_000;

/** The program, also where only root has its folder in PATH; null where it is not installed. */
export function findNginx(): string | null {
  const found = spawnSync("nginx", ["-v"]).error === undefined ? "nginx" : "/usr/sbin/nginx";
  return found === "nginx" || existsSync(found) ? found : null;
}

/** A folder served by nginx on a loopback address, with its own access log. */
export class Nginx {
  readonly origin: string;
  readonly #logPath: string;
  readonly #stop: () => Promise<void>;

  private constructor(origin: string, logPath: string, stop: () => Promise<void>) {
    this.origin = origin;
    this.#logPath = logPath;
    this.#stop = stop;
  }

  static async serve(program: string, root: string, address: string): Promise<Nginx> {
    const dir = mkdtempSync(join(tmpdir(), "sluice-nginx-"));
    const port = await freePort(address);
    const logPath = join(dir, "access.log");
    writeFileSync(join(dir, "nginx.conf"), configOf(dir, root, `${address}:${port}`));
    const child = spawn(program, ["-c", join(dir, "nginx.conf"), "-e", join(dir, "error.log")], {
      stdio: "ignore",
    });
    const gone = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const stop = async (): Promise<void> => {
      child.kill("SIGTERM");
      await gone;
      rmSync(dir, { recursive: true, force: true });
    };
    const untilMs = performance.now() + startLimitMs;
    while (!(await answers(address, port))) {
      if (child.exitCode !== null || performance.now() > untilMs) {
        const log = existsSync(join(dir, "error.log")) ? readFileSync(join(dir, "error.log"), "utf8") : "";
        await stop();
        throw new Error(`nginx did not start: ${log}`);
      }
      await sleep(20);
    }
    return new Nginx(`http://${address}:${port}`, logPath, stop);
  }

  /** Targets that a client with this User-Agent has asked for so far, in order. */
  requestsBy(userAgent: string): readonly string[] {
    return readFileSync(this.#logPath, "utf8")
      .split("\n")
      .map((line) => line.split("\t"))
      .flatMap(([agent, target]) => (agent === userAgent && target !== undefined ? [target] : []));
  }

  close(): Promise<void> {
    return this.#stop();
  }
}

/** One worker, in the foreground; whatever nginx writes goes to `dir`. */
function configOf(dir: string, root: string, listen: string): string {
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  return `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { worker_connections 256; }
http {
  types { text/html html; text/plain txt; text/css css; text/javascript js; image/png png; image/svg+xml svg; }
  default_type application/octet-stream;
  log_format target "$http_user_agent\t$request_uri";
  access_log ${dir}/access.log target;
  ${paths.join("\n  ")}
  server { listen ${listen}; root ${root}; index index.html; }
}
`;
}

async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, address, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
