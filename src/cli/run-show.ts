/** `link show` and `addr show`: runs the system's `ip` and puts right what it says about our slaves. */

import type { Options } from "../words/options.ts";
import { type Call, passLineOn } from "./call.ts";
import { type Facts, factsOf, rewriteBrief, rewriteJson, rewriteText } from "./rewrite.ts";
import type { Show } from "./show.ts";
import { capture, getSystemIp } from "./system-ip.ts";

export async function show({ words, keep }: Show, call: Call): Promise<number> {
  const links = (await call.daemons.homes()).map((home) => home.link);
  const facts = { ...factsOf(links, words), keep };
  if (facts.slaves.length === 0 && facts.hidden.size === 0) return passLineOn(call);
  const shown = await capture(getSystemIp(call.self), [...call.options.words, ...words]);
  process.stdout.write(rewrite(shown.output, facts, call.options), "latin1");
  return shown.status;
}

function rewrite(output: string, facts: Facts, options: Options): string {
  if (output === "") return "";
  if (options.json) return rewriteJson(output, facts, options.pretty);
  return options.brief ? rewriteBrief(output, facts) : rewriteText(output, facts);
}
