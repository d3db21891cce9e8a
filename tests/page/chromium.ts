/** A real Chromium, where the machine has one, and what its pages complain of. */
import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

const places = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/chromium-browser"];
const executablePath = places.find((path): path is string => path !== undefined && existsSync(path));

/** Why no browser test can run here; null where they can. */
export const missingBrowser: string | null =
  executablePath === undefined ? "there is no Chromium (Debian's package is called chromium)" : null;

export function startBrowser(): Promise<Browser> {
  if (executablePath === undefined) throw new Error("no Chromium");
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: isRoot ? ["--no-sandbox"] : [] });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings on its console, exceptions, violations of its policy, and requests to elsewhere. */
  readonly complaints: readonly string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) complaints.push(`request to ${request.url()}`);
  });
  // Most violations show on the console too; those of trusted types only where nobody catches the exception.
  await page.addInitScript(
    `addEventListener("securitypolicyviolation", (event) => console.error("policy: " + event.violatedDirective))`,
  );
  await page.goto(url);
  return { page, complaints };
}
