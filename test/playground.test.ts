/** The playground in a real Chromium, served as `npm run playground` does. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { deflateRawSync, gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { FOLDER, files } from "../scripts/scenarios.ts";
import { readScenario } from "../src/sim/scenario/scenario.ts";
import { isMissing, launch, visit } from "./browser.ts";
import { ROOT } from "./documents.ts";

const PAGE = path.join(ROOT, "dist/playground");
const PROGRAM = path.join(ROOT, "scripts/playground.mjs");
/** Of all files together, compressed. */
const BYTES_MAX = 300_000;
const HOWTO = readFileSync(path.join(ROOT, "examples/howto.sh"), "utf8");

let server: ChildProcess;
let url: string;
let browser: Browser;

before(async () => {
  server = spawn(process.execPath, [PROGRAM], { env: { ...process.env, PORT: "0" } });
  const [line] = await once(server.stdout!, "data");
  url = String(line).trim();
  if (isMissing === false) browser = await launch();
});

after(async () => {
  await browser?.close();
  server.kill();
});

/** A test of a page, which must have nothing to complain of in the end. What moves takes half the machine: little does. */
function inBrowser(
  name: string,
  act: (page: Page) => Promise<void>,
  options: BrowserContextOptions & { readonly hash?: string } = {},
): void {
  test(name, { skip: isMissing }, async () => {
    const { page, faults } = await visit(browser, url + (options.hash ?? ""), {
      reducedMotion: "reduce",
      ...options,
    });
    await act(page);
    assert.deepEqual(faults, []);
    await page.context().close();
  });
}

const MOVING: BrowserContextOptions = { reducedMotion: "no-preference" };

async function type(page: Page, text: string): Promise<void> {
  for (const line of text.split("\n")) {
    await page.locator("#line").fill(line);
    await page.keyboard.press("Enter");
  }
}

/** The HOWTO's host as it was made by its script. */
async function runHowto(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator("#log", { hasText: "from 10.0.0.1:" }).waitFor();
}

const cell = (page: Page, pair: string, family: string) =>
  page.locator(`#matrix [data-pair="${pair}"] [data-family="${family}"]`);
const device = (page: Page, name: string) => page.locator(`[aria-label^="${name}: "]`);
const textOf = async (page: Page, selector: string) =>
  (await page.locator(selector).textContent()) ?? "";

test("all files together are a first load of less than 300 kB, compressed", () => {
  const sizes = readdirSync(PAGE).map(
    (name) => gzipSync(readFileSync(path.join(PAGE, name))).length,
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(total > 10_000 && total < BYTES_MAX, `${total} bytes`);
});

test("a PORT that is none is refused in a line", () => {
  const env = { ...process.env, PORT: "http" };
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM], { env, encoding: "utf8" });
  assert.deepEqual([status, stderr], [1, 'PORT is a number up to 65535, not "http"\n']);
});

inBrowser(
  "the HOWTO typed in line by line: pings are answered, the host is drawn, packets move",
  async (page) => {
    await type(page, HOWTO);
    const log = await textOf(page, "#log");
    assert.match(log, /64 bytes from 10\.0\.0\.11: icmp_seq=1/);
    assert.match(log, /64 bytes from 10\.0\.0\.1: icmp_seq=1/);
    for (const name of ["ns0/ipvl0", "ns1/ipvl1", "host/eth0", "lan/w0"])
      assert.equal(await device(page, name).count(), 1, name);
    assert.match(
      (await device(page, "ns0/ipvl0").getAttribute("aria-label")) ?? "",
      /10\.0\.0\.10\/24/,
    );
    const packet = page.locator(".packet").first();
    await packet.waitFor();
    const at = await packet.getAttribute("transform");
    await page.waitForFunction(
      `document.querySelector(".packet")?.getAttribute("transform") !== ${JSON.stringify(at)}`,
    );
    const rows = await page.locator("#list tr").allTextContents();
    assert.ok(rows.some((row) => row.includes("10.0.0.10 > 10.0.0.11 icmp echo request")));
  },
  MOVING,
);

inBrowser(
  "a packet that is clicked in the drawing shows what becomes of it, its fields and its bytes",
  async (page) => {
    await runHowto(page);
    await page.locator("#play", { hasText: "Pause" }).click();
    await page.locator("#next").click();
    await page.locator(".packet").first().click();
    const sheet = page.getByRole("dialog");
    await sheet.getByText("by rule").first().waitFor();
    await sheet.getByRole("button", { name: /^destination, bytes 0–5/ }).click();
    assert.equal(await sheet.locator(".dump .picked").count(), 6);
    await page.keyboard.press("Escape");
    await sheet.waitFor({ state: "hidden" });
  },
  MOVING,
);

inBrowser("a packet picked from the list has the rules by which it was decided", async (page) => {
  await runHowto(page);
  // Anywhere in its row.
  const row = page.locator("#list tr", { hasText: "10.0.0.10 > 10.0.0.11 icmp echo request" });
  await row.locator("td").first().click();
  const sheet = page.getByRole("dialog");
  await sheet.getByText("by rule F.2").click();
  await sheet.getByText("10.0.0.11 is ipvl1's").waitFor();
  for (const layer of ["Ethernet", "IPv4", "ICMP"])
    await sheet.getByRole("rowheader", { name: layer, exact: true }).waitFor();
});

inBrowser(
  "private, chosen: the line is typed, the matrix turns red with a reason, a ping ends at a cross",
  async (page) => {
    await runHowto(page);
    await cell(page, "ns0 ns1", "v4").and(page.locator(".yes")).waitFor();
    await page.getByRole("radio", { name: "private" }).check();
    await page.locator("#ports", { hasText: "private: slaves do not reach each other" }).waitFor();
    await page
      .locator("#log", { hasText: "ip -n ns0 link set ipvl0 type ipvlan mode l2 private" })
      .waitFor();
    await cell(page, "ns0 ns1", "v4").and(page.locator(".no")).click();
    assert.match(
      await textOf(page, "#why"),
      /ns0 → ns1.*lost at ns0\/ipvl0 by rule F\.1, isolated/,
    );
    await cell(page, "ns0 lan", "v4").and(page.locator(".yes")).waitFor();
    await type(page, "ip netns exec ns0 ping -c 1 10.0.0.11");
    await page.locator(".packet.lost .cross").waitFor();
    await page.locator(".packet.lost", { hasText: "isolated" }).waitFor();
  },
);

inBrowser("a link that is shared gives the same host to whoever opens it", async (page) => {
  await runHowto(page);
  await type(page, "ip netns add third");
  await page.getByRole("button", { name: "Share" }).click();
  await page.locator("#notice", { hasText: "whoever opens it" }).waitFor();
  const drawn = (of: Page) =>
    of.evaluate<string[]>(
      `Array.from(document.querySelectorAll("#drawing [aria-label]"), (one) => one.ariaLabel)`,
    );
  const there = await visit(browser, page.url());
  await there.page.locator(`[aria-label^="namespace third"]`).waitFor();
  const names = /^(namespace|host|lan|ns0|ns1)\b/;
  const [mine, other] = await Promise.all(
    [page, there.page].map(async (of) => (await drawn(of)).filter((label) => names.test(label))),
  );
  assert.ok(mine!.length >= 9);
  assert.deepEqual(other, mine);
  const typed = (of: Page) => of.locator("#log .typed").allTextContents();
  assert.deepEqual(await typed(there.page), await typed(page));
  assert.deepEqual(there.faults, []);
  await there.page.context().close();
});

const linkTo = (text: string, length?: number): string =>
  `#lines=${deflateRawSync(text).toString("base64url").slice(0, length)}`;

const BROKEN = [
  ["#anything", "it should begin with #lines="],
  ["#lines=%%%", "characters that no such link has"],
  ["#lines=abcd", "it is cut off, or changed"],
  [linkTo(JSON.stringify([HOWTO]), 100), "it is cut off, or changed"],
  [linkTo('{"a":1}'), "there are no lines in it"],
  [linkTo(" ".repeat(1_000_000)), "more than 256 KiB"],
] as const;

inBrowser(
  "a broken link says what is wrong with it, and the page goes on",
  async (page) => {
    for (const [hash, reason] of BROKEN) {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.locator("#notice.wrong", { hasText: reason }).waitFor();
    }
    await type(page, "ip netns add still");
    await page.locator(`[aria-label^="namespace still"]`).waitFor();
  },
  { hash: BROKEN[0][0] },
);

inBrowser("every scenario runs here, and is as expected", async (page) => {
  const titles = await page.locator("#example option").allTextContents();
  const wanted = files().map((file) =>
    readScenario(readFileSync(path.join(ROOT, FOLDER, file), "utf8")),
  );
  for (const { title, story, steps } of wanted) {
    await page.locator("#example").selectOption(title);
    const told = await textOf(page, "#story");
    assert.ok(told.startsWith(story.slice(0, 20).replaceAll("`", "")), title);
    await page.getByRole("button", { name: "Run" }).click();
    const expected = steps.flatMap((step) => (step.kind === "trial" ? step.expectations : []));
    assert.deepEqual(
      await page.locator("#log .right").allTextContents(),
      expected.map(({ text }) => `✓ ${text}`),
      title,
    );
    assert.equal(await page.locator("#log > .wrong").count(), 0, title);
  }
  assert.equal(titles.length, wanted.length + 1);
});

inBrowser("lines that mean nothing are refused in a line, with their place", async (page) => {
  await type(page, "nonsense\nip link set 'eth0\nip netns add a | cat\n<b>\nip link set eth9 up");
  const wrong = await page.locator("#log .wrong").allTextContents();
  assert.equal(wrong.length, 5);
  for (const [i, line] of wrong.entries())
    assert.match(line, new RegExp(`^input:${i + 1}:\\d+: .+$`));
  assert.equal(await page.locator("#log b").count(), 0);
});

inBrowser("several lines that are pasted are run one by one", async (page) => {
  await page.evaluate(`
    const data = new DataTransfer();
    data.setData("text/plain", "ip netns add p0\\nip netns add \\\\\\n p1\\n");
    document.getElementById("line").dispatchEvent(
      new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
    )`);
  for (const name of ["p0", "p1"])
    await page.locator(`[aria-label^="namespace ${name}"]`).waitFor();
  assert.equal(await page.locator("#log .typed").count(), 2);
});

inBrowser(
  "all of it by keyboard: completion, history, steps, a packet, mode, the matrix",
  async (page) => {
    const { keyboard } = page;
    await runHowto(page);
    const line = page.locator("#line");
    await line.focus();
    await keyboard.type("ip netns exec ns0 pi");
    await keyboard.press("Tab");
    assert.equal(await line.inputValue(), "ip netns exec ns0 ping ");
    await keyboard.type("-c 1 10.0.0.1");
    await keyboard.press("Enter");
    await keyboard.press("ArrowUp");
    assert.equal(await line.inputValue(), "ip netns exec ns0 ping -c 1 10.0.0.1");
    await keyboard.press("Escape");
    await keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.id === 'line'"), false);
    await page.locator("#next").focus();
    await keyboard.press("Enter");
    await page.locator(".packet").first().focus();
    await keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    assert.equal(await page.evaluate("document.activeElement.id"), "sheet-title");
    await keyboard.press("Escape");
    assert.match(await page.evaluate("document.activeElement.className"), /pick/);
    await page.getByRole("radio", { name: "l2" }).focus();
    await keyboard.press("ArrowRight");
    await page.locator("#log", { hasText: "type ipvlan mode l3 bridge" }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.value"), "l3");
    await cell(page, "lan ns0", "v4").and(page.locator(".no")).waitFor();
    await page.locator('[data-pair="lan ns0"]').focus();
    await keyboard.press("Enter");
    assert.match(await textOf(page, "#why"), /lan → ns0/);
  },
);

inBrowser(
  "on a small screen nothing is wider than the screen",
  async (page) => {
    await runHowto(page);
    await cell(page, "ns0 ns1", "v4").waitFor();
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
    await page.locator("#list .pick").first().click();
    await page.getByRole("dialog").waitFor();
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
  },
  { viewport: { width: 360, height: 740 } },
);

const background = "getComputedStyle(document.body).backgroundColor";

inBrowser(
  "dark where the system is, and light when chosen, also the next time",
  async (page) => {
    const dark = await page.evaluate(background);
    await page.getByRole("button", { name: "Dark" }).click();
    const light = await page.evaluate(background);
    assert.deepEqual([dark, light], ["rgb(17, 21, 26)", "rgb(246, 245, 241)"]);
    await page.reload();
    assert.equal(await page.evaluate(background), light);
  },
  { colorScheme: "dark" },
);

inBrowser("where less motion is wanted, packets stand still, and go step by step", async (page) => {
  await runHowto(page);
  const packet = page.locator(".packet").first();
  await packet.waitFor();
  assert.equal(await textOf(page, "#play"), "Play");
  const first = await textOf(page, "#caption");
  await page.locator("#next").click();
  assert.notEqual(await textOf(page, "#caption"), first);
  await page.locator("#previous").click();
  assert.equal(await textOf(page, "#caption"), first);
});

inBrowser("what is not shown of its kind is neither listed nor drawn", async (page) => {
  await runHowto(page);
  await page.getByLabel("ARP, ND").uncheck();
  const rows = await page.locator("#list tr").allTextContents();
  assert.ok(rows.length > 0 && rows.every((row) => row.includes("icmp")));
});

for (const theme of ["light", "dark"])
  test(`${theme}: text is told from what it stands on (WCAG 2.2, 1.4.3)`, () => {
    const css = readFileSync(path.join(ROOT, "src/web/page/style.css"), "utf8");
    const [, light = "", dark = ""] = css
      .split(/^:root[^{]*\{/m)
      .map((part) => part.split("}")[0]!);
    const colours = (block: string) =>
      new Map(
        Array.from(
          block.matchAll(/--([\w-]+): (#\w{6});/g),
          ([, name, value]) => [name!, value!] as const,
        ),
      );
    const found = new Map([...colours(light), ...(theme === "dark" ? colours(dark) : [])]);
    const pairs = [
      ...["ink", "soft", "accent", "bad"].flatMap((text) =>
        ["paper", "card", "screen"].map((on) => [text, on]),
      ),
      ...["ink", "soft"].map((text) => [text, "sunk"]),
      ["on-accent", "accent"],
      ["good", "good-tint"],
      ["bad", "bad-tint"],
      ["accent", "tint"],
      ["ink", "mark"],
    ] as const;
    for (const [text, on] of pairs)
      assert.ok(contrast(found.get(text!)!, found.get(on!)!) >= 4.5, `${text} on ${on}`);
  });

/** WCAG 2.2, contrast ratio. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
  };
  const [dark, light] = [luminance(a), luminance(b)].sort((one, two) => one - two);
  return (light! + 0.05) / (dark! + 0.05);
}
