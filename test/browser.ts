/** Chromium, Debian's: pages in it that hear of everything that goes wrong. */
import { accessSync, constants } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PROGRAM = "/usr/bin/chromium";
/** A machine that is busy with other tests takes its time. */
const WAIT_MS = 30_000;

/** Why there is none; false: there is. As `skip` of a test. */
export const isMissing: string | false = find() ? false : "chromium is not installed";

function find(): boolean {
  try {
    accessSync(PROGRAM, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** With a folder of its own, which goes with it. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: PROGRAM,
    timeout: WAIT_MS,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

export interface Visit {
  readonly page: Page;
  /** What was printed to the console, thrown by the page, or asked of another server. */
  readonly faults: readonly string[];
}

export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const faults: string[] = [];
  page.on("console", (message) => faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => faults.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin)
      faults.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults };
}
