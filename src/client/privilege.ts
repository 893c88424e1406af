/**
 * Whether we may serve: the daemon makes namespaces and devices. Asked before it is started, so that someone who
 * may not leaves no folder and no log behind, and hears what `ip` would say.
 */
import { readFileSync } from "node:fs";

/** Who asks may not make namespaces and devices. */
export class NotPermittedError extends Error {
  override readonly name = "NotPermittedError";
}

/** Bits of capabilities(7). */
const CAP_NET_ADMIN = 1n << 12n;
const CAP_SYS_ADMIN = 1n << 21n;
const NEEDED = CAP_NET_ADMIN | CAP_SYS_ADMIN;

export function demandPrivilege(): void {
  const status = readFileSync("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1] ?? "0"}`);
  if ((effective & NEEDED) !== NEEDED) throw new NotPermittedError("Operation not permitted");
}
