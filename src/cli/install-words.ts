/** `install` and `uninstall`: the files that other programs look for. */
import { TARGETS, type TargetName } from "../install/targets.ts";
import { incomplete } from "../words/errors.ts";
import { listed, unknown } from "./port.ts";

export interface Install {
  readonly verb: "install" | "uninstall";
  readonly target: TargetName;
  /** In place of "/", for an image that is built. */
  readonly root?: string;
}

export function parseInstall(verb: Install["verb"], line: readonly string[]): Install {
  const [word, option, root, extra] = line;
  if (word === undefined) throw incomplete();
  const target = TARGETS.find((one) => one === word);
  if (target === undefined) throw unknown(verb, word, listed(TARGETS));
  if (option === undefined) return { verb, target };
  if (option !== "--root") throw unknown(`${verb} ${target}`, option, "--root");
  if (root === undefined) throw incomplete();
  if (extra !== undefined) throw unknown(`${verb} ${target}`, extra, "nothing");
  return { verb, target, root };
}
