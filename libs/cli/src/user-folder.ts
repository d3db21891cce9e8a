/** npm runs scripts in the repository's folder and tells where the user is. */
export function userFolder(env: NodeJS.ProcessEnv): string {
  const script = env["npm_lifecycle_event"];
  return script === "crawl" || script === "sluice" ? (env["INIT_CWD"] ?? process.cwd()) : process.cwd();
}
