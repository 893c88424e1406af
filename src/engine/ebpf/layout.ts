/**
 * The tables that a port's programs and the daemon share: names, shapes, and how their bytes are written. Numbers are
 * in the processor's order unless said.
 */
import type { Slave } from "../../driver/decide/machine.ts";
import { COLUMNS, SLAVES_MAX } from "../../driver/statistics.ts";
import type { MapSpec } from "../../linux/bpf/maps.ts";
import { ADDRESSES4, ADDRESSES6, SETTINGS_BYTES as DECISIONS_BYTES, SETTINGS } from "./machine.ts";

// Beside what decisions read of the settings: ifindexes of the master, and of the pair's end in its namespace.
export const SETTINGS_MASTER: number = DECISIONS_BYTES;
export const SETTINGS_UP: number = DECISIONS_BYTES + 4;
export const SETTINGS_BYTES: number = DECISIONS_BYTES + 8;

/** Array: by device id, what is known of a slave. Row 0 is the port as a whole, row `WIRE_ROW` whoever is on the wire. */
export const SLAVES = "slaves";
/** u32: of the host end; 0: no such slave. */
export const SLAVE_HOST = 0;
/** u32: 1 if the slave is in the master's own namespace. */
export const SLAVE_IS_WITH_MASTER = 4;
/** u32 each: a span of time, and how many copies of floods the row asked for in it. */
export const SLAVE_SPAN = 8;
export const SLAVE_COPIES = 12;
export const SLAVE_BYTES = 16;
export const WIRE_ROW: number = SLAVES_MAX + 1;

/**
 * A span of flooding is 2^27 ns, an eighth of a second; in it a port makes so many copies. One flood always goes: more
 * slaves than that there are not. The copies of one span are half of a processor's time.
 */
export const SPAN_SHIFT = 27;
export const COPIES_PER_SPAN = 65_536;

/**
 * Hash: an ifindex (u32) → a row that each processor keeps for itself, of 64 bits each: the device id, so that a program
 * knows who sends, then the counters of driver/statistics.ts. Ifindex 0 is the port's own row.
 */
export const STATISTICS = "statistics";
export const ROW_ID = 0;
export const rowCounter = (column: number): number => 8 * (1 + column);
const ROW_WORDS = 1 + COLUMNS;

/**
 * Hash: a group MAC (6 bytes as in the frame) and a number from 0 on (u16) → that piece of the list of host ends that
 * take the group. MAC 0: the list of those who take every group that has no list of its own.
 */
export const GROUPS = "groups";
/** u32: members of this piece. */
export const PIECE_COUNT = 0;
/** u32: 1 if another piece follows. */
export const PIECE_MORE = 4;
/** u32: members of all pieces; in the first. */
export const PIECE_TOTAL = 8;
export const PIECE_MEMBERS = 12;
/** ifindexes (u32) in one piece; also copies made in one go. */
export const PIECE_MAX = 64;
export const PIECE_BYTES: number = PIECE_MEMBERS + 4 * PIECE_MAX;

/** Tries: prefixes (u32 length, then the address as in a packet) → what they are to the master's namespace (u32). */
export const LOCALS4 = "locals4";
export const LOCALS6 = "locals6";
/** Its own. */
export const LOCAL_ADDRESS = 1;
/** Everybody's in a subnet: nothing that a slave sends there is routed. */
export const LOCAL_BROADCAST = 2;
/** A group, which needs no route through the stack. */
export const LOCAL_GROUP = 3;

/** Ring: device ids (u32) of slaves that told the wire of a group joined or left. */
export const REPORTS = "reports";

/** Bytes. */
export const REPORTS_BYTES = 4096;
/** Of each family, and of both together. */
export const ADDRESSES_MAX = 131_072;
const PIECES_MAX = 65_536;
/** Of each family: no namespace is to have more; memory is taken as they come. */
const LOCALS_MAX = 1_048_576;
const WORD = 4;

export const mapSpecs: readonly MapSpec[] = [
  array(SETTINGS, SETTINGS_BYTES, 1),
  array(SLAVES, SLAVE_BYTES, WIRE_ROW + 1),
  hash(ADDRESSES4, 4, WORD, ADDRESSES_MAX),
  hash(ADDRESSES6, 16, WORD, ADDRESSES_MAX),
  hash(GROUPS, 8, PIECE_BYTES, PIECES_MAX),
  { ...hash(STATISTICS, WORD, 8 * ROW_WORDS, SLAVES_MAX + 1), type: "per-cpu-hash" },
  { ...hash(LOCALS4, 4 + 4, WORD, LOCALS_MAX), type: "lpm-trie" },
  { ...hash(LOCALS6, 4 + 16, WORD, LOCALS_MAX), type: "lpm-trie" },
  { type: "ring-buffer", name: REPORTS, keySize: 0, valueSize: 0, maxEntries: REPORTS_BYTES },
];

function array(name: string, valueSize: number, maxEntries: number): MapSpec {
  return { type: "array", name, keySize: WORD, valueSize, maxEntries };
}
function hash(name: string, keySize: number, valueSize: number, maxEntries: number): MapSpec {
  return { type: "hash", name, keySize, valueSize, maxEntries, preallocate: false };
}

/** u32s, one behind the other. */
export const words = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from(values).buffer);

/** A slave's row. */
export const slaveRow = (hostIfindex: number, isWithMaster: boolean): Uint8Array =>
  words(hostIfindex, isWithMaster ? 1 : 0, 0, 0);

/** A row of counters for every processor, all 0, of a slave. */
export function statisticsRow(id: Slave, cpus: number): Uint8Array {
  const row = new BigUint64Array(ROW_WORDS * cpus);
  for (let cpu = 0; cpu < cpus; cpu++) row[cpu * ROW_WORDS] = BigInt(id);
  return new Uint8Array(row.buffer);
}

/** Key of a trie. */
export function prefixKey(ip: Uint8Array, length: number): Uint8Array {
  const key = new Uint8Array(4 + ip.length);
  key.set(words(length));
  key.set(ip, 4);
  return key;
}

/** Key of an address: the number that decisions look up is in host order. */
export const addressKey = (ip: Uint8Array): Uint8Array =>
  ip.length === 4 ? Uint8Array.from(ip).reverse() : ip;
