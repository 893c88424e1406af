/** What the driver's decisions find at tc: the eBPF half of `driver/decide/machine.ts`, as the compiler wants it told. */
import { type Field, loads, type Machine } from "../../bpf/compiler/machine.ts";
import { SLAVES_MAX } from "../../driver/statistics.ts";

/** Hash map: an IPv4 address as a number, in host order -> the slave that holds it and is up, as u32. */
export const ADDRESSES4 = "addresses4";
/** Hash map: the 16 bytes of an IPv6 address -> as above. */
export const ADDRESSES6 = "addresses6";
/** Array map of one value: three u32 at the offsets below. */
export const SETTINGS = "settings";

/** Mode in bits 0–7, flag in 8–15, compat in 16–23: they change in one store. */
export const SETTINGS_PACKED = 0;
/** The master's MAC: bytes 0–1, bytes 2–5. */
export const SETTINGS_MAC_HIGH = 4;
export const SETTINGS_MAC_LOW = 8;
export const SETTINGS_BYTES = 12;

/** Of struct __sk_buff: whether a VLAN tag travels beside the frame. */
const VLAN_PRESENT = 20;

const packed = (shift: number): Field => ({
  map: SETTINGS,
  offset: SETTINGS_PACKED,
  shift,
  bits: 8,
});
const word = (offset: number): Field => ({ map: SETTINGS, offset, shift: 0, bits: 32 });

/** The hooks' decisions: name of the function and the file that has it, from the repository's root. */
export const ENTRIES: Readonly<Record<"xmit" | "receive" | "input", string>> = {
  xmit: "src/driver/decide/xmit.ts",
  receive: "src/driver/decide/receive.ts",
  input: "src/driver/decide/receive.ts",
};

export const machine: Machine = {
  frame: "Frame",
  objects: {
    DecisionPort: {
      mode: packed(0),
      flag: packed(8),
      compat: packed(16),
      macHigh: word(SETTINGS_MAC_HIGH),
      macLow: word(SETTINGS_MAC_LOW),
    },
  },
  functions: {
    "src/wire/frame.ts": loads,
    "src/driver/decide/machine.ts": {
      owner4: { kind: "findByNumber", map: ADDRESSES4, max: SLAVES_MAX },
      owner6: { kind: "findByBytes", map: ADDRESSES6, size: 16, max: SLAVES_MAX },
      tagBeside: { kind: "context", offset: VLAN_PRESENT, max: 1 },
    },
  },
};
