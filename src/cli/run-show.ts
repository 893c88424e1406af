/** `link show`: runs the system's `ip` and puts right what it says about our slaves. */

import type { LinkInfo } from "../daemon/control.ts";
import { type Call, namespaceWords, passLineOn } from "./call.ts";
import { allSlaves } from "./client.ts";
import { type Facts, type LinkShow, rewriteBrief, rewriteJson, rewriteText } from "./link-show.ts";
import type { Options } from "./options.ts";
import { capture, getSystemIp } from "./system-ip.ts";

export async function showLinks({ words, keep }: LinkShow, call: Call): Promise<number> {
  const links = (await allSlaves(call.netns)).map((home) => home.link);
  const slaves = links.filter((link) => link.here);
  const hidden = hiddenDevices(links, words);
  if (slaves.length === 0 && hidden.size === 0) return passLineOn(call);
  const ip = getSystemIp(call.self);
  const [shown, up] = await Promise.all([
    capture(ip, [...call.options.words, "link", ...words]),
    devicesUp(ip, call),
  ]);
  process.stdout.write(rewrite(shown.output, { slaves, hidden, up, keep }, call.options));
  return shown.status;
}

/**
 * Beside a master there is the device by which its slaves' frames come up into its namespace (master-side.ts names
 * it). Linux's driver needs none, so nobody is shown it who has not named it.
 */
function hiddenDevices(links: readonly LinkInfo[], words: readonly string[]): Set<string> {
  const masters = links.filter((link) => link.masterHere).map((link) => link.masterIfindex);
  const names = masters.map((ifindex) => `ipvlup${ifindex}`);
  return new Set(names.filter((name) => !words.includes(name)));
}

function rewrite(output: string, facts: Facts, options: Options): string {
  if (output === "") return "";
  if (options.json) return rewriteJson(output, facts, options.pretty);
  return options.brief ? rewriteBrief(output, facts) : rewriteText(output, facts);
}

async function devicesUp(ip: string, call: Call): Promise<Set<string>> {
  const { output } = await capture(ip, [...namespaceWords(call), "-j", "link", "show", "up"]);
  const links = JSON.parse(output || "[]") as { ifname?: string }[];
  return new Set(links.flatMap((link) => link.ifname ?? []));
}
