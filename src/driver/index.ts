/**
 * `ipvlan`: the driver as a library. A `Port` says what is so, a `DataPath` takes frames and hands them to
 * outlets of yours, and the decisions may be asked on their own. Runs wherever JavaScript does.
 *
 *     const port = new Port({ mac, mode: "l2" });
 *     const path = new DataPath({ addresses: port.addresses, groups, statistics, outlets });
 *
 * examples/embed.ts is a whole program.
 */

export { Frame } from "../wire/frame.ts";
export { ADDRESSES_MAX, AddressTable, type AddressTableOptions } from "./address-table.ts";
export { BACKLOG_BYTES_MAX, BACKLOG_MAX } from "./backlog.ts";
export { CLAIMS_MAX, type Claim } from "./claims.ts";
export { DataPath, type DataPathParts, type Outlets } from "./data-path.ts";
export * from "./decide/machine.ts";
export { input, receive } from "./decide/receive.ts";
export * as verdict from "./decide/verdict.ts";
export { xmit } from "./decide/xmit.ts";
export { PortError, type PortErrorCode } from "./errors.ts";
export {
  type Condition,
  type ExplainOptions,
  type Explanation,
  explain,
  type Hook,
  type Rule,
  type Step,
} from "./explain.ts";
export { GROUPS_PER_SLAVE_MAX, type Groups, GroupTable } from "./group-table.ts";
export { linkLocal, sharedLinkLocal } from "./link-local.ts";
export {
  type Change,
  type Choice,
  type Conflict,
  Port,
  type PortOptions,
  type Said,
} from "./port.ts";
export * from "./settings.ts";
export {
  reasons,
  SLAVES_MAX,
  type SlaveStatistics,
  Statistics,
  type StatisticsOptions,
} from "./statistics.ts";
