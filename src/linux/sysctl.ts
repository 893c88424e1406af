/** Network sysctls of the namespace this thread is in. man: procfs(5), Documentation/networking/ip-sysctl. */
import { readFileSync, writeFileSync } from "node:fs";

/** `name` with slashes after `net`: `ipv4/conf/eth0/forwarding`, since device names may have dots. */
const path = (name: string): string => `/proc/sys/net/${name}`;

/** undefined: this kernel has no such sysctl. */
export function findSysctl(name: string): string | undefined {
  try {
    return readFileSync(path(name), "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export const setSysctl = (name: string, value: string | number): void =>
  writeFileSync(path(name), String(value));
