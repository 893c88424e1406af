/** Who is measured: the columns of every table, in their order, and what people read above them. */
export const COLUMNS = [
  "macvlan",
  "bridge",
  "ebpf",
  "userspace",
  "simulated",
  "vde2",
  "slirp4netns",
] as const;
export type Column = (typeof COLUMNS)[number];
/** What moves real frames. */
export type RealColumn = Exclude<Column, "simulated">;

export const TITLES: Readonly<Record<Column, string>> = {
  macvlan: "macvlan",
  bridge: "bridge",
  ebpf: "ipvlan, eBPF",
  userspace: "ipvlan, userspace",
  simulated: "ipvlan, simulated",
  vde2: "vde2",
  slirp4netns: "slirp4netns",
};
