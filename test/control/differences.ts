/**
 * Where a replay departs from the recording, by name and with the reason: D-numbers are those of
 * `docs/parity.md`.
 */
import type { Compat } from "../../src/driver/settings.ts";
import { type Case, findRequest, type Step } from "./recording.ts";

/** Why a case is not replayed at all. */
const SKIPPED: Readonly<Record<string, string>> = {
  "delete-master-ns": "masters.test.ts replays it, in a namespace that can be deleted",
  ethtool: "D8: ethtool shows a veth",
  "ifindex-link": "D8: /sys shows a veth",
  ipvtap: "D12: no ipvtap",
  "master-ipvtap-first": "D12: no ipvtap",
  monitor: "monitor.test.ts replays it",
};

/** Steps that are skipped wherever they occur. */
const SKIPPED_STEPS: readonly (readonly [RegExp, string])[] = [
  [/^(tc|ping) /, "not about devices"],
  [/^ip (-6 )?(maddr|neigh|route) /, "not about devices"],
];

const NOT_ASKED = "the step before is skipped";
const RARE = "needs a kind of device that small kernels lack, for what is not about us";

/** Steps by case and number. */
const SKIPPED_NUMBERS: Readonly<Record<string, string>> = {
  "create-netlink-values 29": NOT_ASKED,
  "create-netlink-values 31": NOT_ASKED,
  "create-netlink-values 33": NOT_ASKED,
  "master-used-by-others 4": RARE,
  "master-used-by-others 5": "D12: no ipvtap",
  "master-used-by-others 6": RARE,
  "master-used-by-others 7": NOT_ASKED,
  "master-used-by-others 10": "D12: no ipvtap holds the port",
  "master-used-by-others 11": "D12: no ipvtap",
  "move-slave 10": RARE,
  "move-slave 11": NOT_ASKED,
  "slave-used-by-others 7": RARE,
  "slave-used-by-others 9": NOT_ASKED,
};

/** Mode and flag where they are not the recording's, by case and number of the step. */
type Settings = Readonly<Record<string, string>>;

/** D7: what is not said stays as it is. */
const HOWTO: Settings = {
  "second-slave-other-mode 17": "l2 vepa",
  "second-slave-other-mode 18": "l2 vepa",
  "second-slave-no-mode 4": "l2 private",
  "second-slave-no-mode 5": "l2 private",
  "second-slave-no-mode 8": "l2 private",
  "second-slave-no-mode 9": "l2 private",
  "second-slave-no-mode 16": "l2 vepa",
  "second-slave-no-mode 17": "l2 vepa",
  "second-slave-no-mode 20": "l2 private",
  "second-slave-no-mode 21": "l2 private",
  "change-mode 16": "l2 private",
  "change-mode 17": "l2 private",
};

/** The API has the command's words, and the command says a flag with every mode. */
const KERNEL: Settings = {
  "second-slave-no-mode 12": "l2 bridge",
  "second-slave-no-mode 13": "l2 bridge",
};

export const findSettings = (id: string, number: number, compat: Compat): string | undefined =>
  (compat === "howto" ? HOWTO : KERNEL)[`${id} ${number}`];

/** Whether a port's compat shows in a case. */
export const isOfCompat = ({ id }: Case): boolean =>
  Object.keys({ ...HOWTO, ...KERNEL }).some((step) => step.startsWith(`${id} `));

/** Device kinds that a case makes, besides ours and veth. */
const KINDS = /\b(?:type|mode) (dummy|vlan|vrf|bond|bridge|macvlan|tun|tap)\b/g;

export function whySkipped(
  { id, steps }: Case,
  kernelHas: (kind: string) => boolean,
): string | undefined {
  const known = SKIPPED[id];
  if (known !== undefined) return known;
  const missing = steps
    .flatMap((step, number) =>
      "cmd" in step && step.rc === 0 && whyStepSkipped(id, step, number) === undefined
        ? [...step.cmd.matchAll(KINDS)].map(([, kind]) => kind!)
        : [],
    )
    .filter((kind) => !kernelHas(kind));
  return missing.length === 0
    ? undefined
    : `this kernel has no ${[...new Set(missing)].join(", ")}`;
}

export function whyStepSkipped(id: string, step: Step, number: number): string | undefined {
  const known = SKIPPED_NUMBERS[`${id} ${number}`];
  if (known !== undefined) return known;
  if ("cat" in step) return "D8, D10: /sys shows a veth";
  if ("rtnetlink" in step && findRequest(step.rtnetlink) === undefined)
    return "JSON has no such value";
  return "cmd" in step ? SKIPPED_STEPS.find(([line]) => line.test(step.cmd))?.[1] : undefined;
}
