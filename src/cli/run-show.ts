/** `link show`: runs the system's `ip` and puts right what it says about our slaves. */
import { type Call, namespaceWords, passLineOn } from "./call.ts";
import { slavesIn } from "./client.ts";
import { type Facts, type LinkShow, rewriteBrief, rewriteJson, rewriteText } from "./link-show.ts";
import type { Options } from "./options.ts";
import { capture, getSystemIp } from "./system-ip.ts";

export async function showLinks({ words, keep }: LinkShow, call: Call): Promise<number> {
  const slaves = (await slavesIn(call.netns)).map((home) => home.link);
  if (slaves.length === 0) return passLineOn(call);
  const ip = getSystemIp(call.self);
  const [shown, up] = await Promise.all([
    capture(ip, [...call.options.words, "link", ...words]),
    devicesUp(ip, call),
  ]);
  process.stdout.write(rewrite(shown.output, { slaves, up, keep }, call.options));
  return shown.status;
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
