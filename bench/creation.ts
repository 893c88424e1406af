/** How long many slaves take to come and to go, by the command as a person uses it. */
import { rmSync, writeFileSync } from "node:fs";
import { shell } from "../scripts/lab.ts";
import { type Ground, netnsOf, SYSTEM_IP } from "./ground.ts";

/** Milliseconds to make so many slaves, and to delete them, by `ipvlan -batch`. */
export const ours = (ground: Ground, count: number): Promise<readonly number[]> =>
  comeAndGo(ground, count, "ipvlan", "type ipvlan mode l2");

/** The same with the kernel's macvlan, by `ip -batch`. */
export const macvlans = (ground: Ground, count: number): Promise<readonly number[]> =>
  comeAndGo(ground, count, SYSTEM_IP, "type macvlan mode bridge");

async function comeAndGo(
  ground: Ground,
  count: number,
  command: string,
  type: string,
): Promise<readonly number[]> {
  const names = Array.from({ length: count }, (_, n) => `n${n}`);
  const batch = (line: (name: string) => string) => timeOf(ground, command, names.map(line));
  const made = await batch((name) => `link add link eth0 name ${name} ${type}`);
  return [made, await batch((name) => `link del ${name}`)];
}

async function timeOf(ground: Ground, command: string, lines: readonly string[]): Promise<number> {
  const file = `/run/${ground.name}.batch`; // the sandbox's own
  writeFileSync(file, lines.join("\n"));
  try {
    const start = performance.now();
    await shell(netnsOf(ground, "host"), `${command} -batch ${file}`);
    return performance.now() - start;
  } finally {
    rmSync(file);
  }
}
