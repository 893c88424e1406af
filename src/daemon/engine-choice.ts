/** Which engine a port gets: the one that is asked for, or the best that this kernel lets us have. */
import { writeFileSync } from "node:fs";
import { ADDRESSES_MAX } from "../driver/address-table.ts";
import type { Slave } from "../driver/decide/machine.ts";
import { PortError } from "../driver/errors.ts";
import type { Port } from "../driver/port.ts";
import { EbpfEngine } from "../engine/ebpf/ebpf-engine.ts";
import { explain } from "../engine/ebpf/explain.ts";
import type { Engine, EngineChoice } from "../engine/engine.ts";
import type { MasterSide } from "../engine/master/master-side.ts";
import { DataPathThread } from "../engine/userspace/data-path-thread.ts";
import { VerifierError } from "../linux/bpf/programs.ts";
import type { PortId } from "./identity.ts";

export interface EngineParts {
  readonly id: PortId;
  readonly stateDir: string;
  readonly privateNetns: number;
  readonly masterNetns: number;
  readonly masterIfindex: number;
  readonly side: MasterSide;
  readonly port: Port;
  /** A slave joined or left a group. */
  readonly onMemberships: (id: Slave) => void;
  /** The engine ended by itself, which it never should. */
  readonly onDeath: (error: Error) => void;
}

const AS_ASKED = "as asked for";

/**
 * An engine that runs, and why it is that one; `present` if that is what the choice comes to. "auto" finds out by
 * trying: it loads and attaches the very programs. Throws PortError EOPNOTSUPP if what is asked for cannot be had.
 */
export async function engineFor(
  choice: EngineChoice,
  parts: EngineParts,
  present?: Engine,
): Promise<[Engine, string]> {
  if (choice === "userspace") return [await userspace(parts, present), AS_ASKED];
  const reason = choice === "ebpf" ? AS_ASKED : "this kernel takes its programs";
  if (present?.name === "ebpf") return [present, reason];
  try {
    return [EbpfEngine.start(parts), reason];
  } catch (error) {
    const missing = explain(error) + keepLog(error, parts.stateDir);
    if (choice === "ebpf") throw new PortError("EOPNOTSUPP", `engine ebpf: ${missing}`);
    return [await userspace(parts, present), `not ebpf: ${missing}`];
  }
}

/** All that the verifier said is kept for who repairs the program; the end of a line that tells where. */
function keepLog(error: unknown, stateDir: string): string {
  if (!(error instanceof VerifierError)) return "";
  const path = `${stateDir}/verifier.log`;
  writeFileSync(path, `${error.log}\n`);
  return `; all that it says: ${path}`;
}

async function userspace(parts: EngineParts, present?: Engine): Promise<Engine> {
  if (present?.name === "userspace") return present;
  const { addresses, settings, mac } = parts.port;
  addresses.limit = ADDRESSES_MAX;
  return await DataPathThread.start({ ...parts, addresses, settings, mac });
}
