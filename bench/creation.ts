/** How long many slaves take to come and to go, by the command as a person uses it. */
import { rmSync, writeFileSync } from "node:fs";
import { type Ground, SYSTEM_IP, shellAtHost } from "./ground.ts";

/** Milliseconds to make so many slaves, and to delete them, by `ipvlan -batch`. */
export const ours = (ground: Ground, count: number): Promise<readonly number[]> =>
  comeAndGo(ground, count, "ipvlan", (name) => [
    `link add link eth0 name ${name} type ipvlan mode l2`,
    `link del ${name}`,
  ]);

/** The same with the kernel's macvlan, by `ip -batch`. */
export const macvlans = (ground: Ground, count: number): Promise<readonly number[]> =>
  comeAndGo(ground, count, SYSTEM_IP, (name) => [
    `link add link eth0 name ${name} type macvlan mode bridge`,
    `link del ${name}`,
  ]);

/** The same with plain veths: what the kernel takes for what a slave is made of. */
export const veths = (ground: Ground, count: number): Promise<readonly number[]> =>
  comeAndGo(ground, count, SYSTEM_IP, (name) => [
    `link add ${name} type veth peer name ${name}p`,
    `link del ${name}`,
  ]);

async function comeAndGo(
  ground: Ground,
  count: number,
  command: string,
  linesOf: (name: string) => readonly [add: string, del: string],
): Promise<readonly number[]> {
  const lines = Array.from({ length: count }, (_, n) => linesOf(`n${n}`));
  const made = await timeOf(
    ground,
    command,
    lines.map(([add]) => add),
  );
  const deleted = await timeOf(
    ground,
    command,
    lines.map(([, del]) => del),
  );
  return [made, deleted];
}

async function timeOf(ground: Ground, command: string, lines: readonly string[]): Promise<number> {
  const file = `/run/${ground.name}.batch`; // the sandbox's own
  writeFileSync(file, lines.join("\n"));
  try {
    const start = performance.now();
    await shellAtHost(ground, `${command} -batch ${file}`);
    return performance.now() - start;
  } finally {
    rmSync(file);
  }
}
