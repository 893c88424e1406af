/** Helper functions that decisions call, without a kernel. man: bpf-helpers(7). */
import { HELPER, type Helper } from "../instruction.ts";
import type { Run } from "./vm.ts";

/** What becomes r0. */
export type VmHelper = (run: Run) => bigint;

const ENOMEM = -12n;
const EFAULT = -14n;
/** Furthest offset that `skb_load_bytes` takes. */
const OFFSET_MAX = 0x7fff_ffffn;

export const helpers: Partial<Record<Helper, VmHelper>> = {
  map_lookup_elem(run) {
    const map = run.map(run.argument(1));
    const value = map.find(run.memory.bytes(run.argument(2), map.keySize));
    return value === undefined ? 0n : BigInt(run.memory.add("map value", value));
  },

  skb_load_bytes(run) {
    const offset = BigInt.asUintN(32, run.argument(2)); // the helper's parameter is a u32
    const length = Number(run.argument(4));
    const into = run.memory.bytes(run.argument(3), length);
    const isThere = offset <= OFFSET_MAX && Number(offset) + length <= run.frame.length;
    if (!isThere) into.fill(0);
    else into.set(run.frame.subarray(Number(offset), Number(offset) + length));
    return isThere ? 0n : EFAULT;
  },

  skb_pull_data(run) {
    const length = Number(run.argument(2));
    const isThere = length <= run.frame.length;
    run.placeFrame(Math.max(run.linear, isThere ? length : 0));
    return isThere ? 0n : ENOMEM;
  },
};

export const helperName = (number: number): Helper | undefined =>
  (Object.keys(HELPER) as Helper[]).find((name) => HELPER[name] === number);
