/**
 * Where things stand in the drawing: a row of boxes for the host's namespace, above it those whose slaves hang on it,
 * below it what is at the other end of its cables, and so on outwards. Rows that are too wide go on in the next.
 * Lengths are in pixels of a drawing that is as wide as the page has room.
 */
import type { Device } from "../sim/device.ts";
import { HOST } from "../sim/shell/world.ts";
import type { DeviceNode, NamespaceNode, Topology } from "./topology.ts";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** By name. */
  readonly namespaces: ReadonlyMap<string, Box>;
  readonly devices: ReadonlyMap<Device, Box>;
  /** By the master's device: where the port is drawn, on top of it. */
  readonly ports: ReadonlyMap<Device, Box>;
}

export const TITLE: number = 26;
export const LINE: number = 16;
export const NAME: number = 26;
export const PORT: number = 28;
const PADDING = 12;
const GAP = 14;
/** Closer where there is little room. */
const betweenBoxes = (width: number): number => (width < 420 ? 12 : 24);
export const BETWEEN_ROWS: number = 64;
/** Of the font that names and addresses have. */
export const CHARACTER: number = 7.25;
export const TITLE_CHARACTER: number = 9;
/** At either side of a text in a device; beside its name stand a dot and its state. */
export const BESIDE_TEXT: number = 10;
const BESIDE_NAME = 3;
/** Of a device with more addresses the others are counted. */
const LINES_MAX = 6;
const DEVICE_MIN = 92;
/** Of what is inside a namespace's box, and of the box. */
const BOX_MIN = 86;
const BOX_MAX = 640;
const MARGIN = 2;
/** Narrower, and text would not fit. */
const WIDTH_MIN = 240;

interface Size {
  readonly width: number;
  readonly height: number;
}

const widthOf = ({ width }: Size): number => width;

export function layOut(topology: Topology, room: number): Layout {
  const width = Math.max(WIDTH_MIN, Math.floor(room));
  const inside = width - 2 * MARGIN;
  const namespaces = new Map<string, Box>();
  const devices = new Map<Device, Box>();
  const ports = new Map<Device, Box>();
  const between = betweenBoxes(width);
  let y = MARGIN;
  for (const level of levels(topology))
    for (const row of rows(level, (netns) => sizeOf(netns, inside).width, inside, between)) {
      const sizes = row.map((netns) => sizeOf(netns, inside));
      const height = Math.max(...sizes.map((size) => size.height));
      let x = (width - widthOfRow(sizes, widthOf, between)) / 2;
      for (const [i, netns] of row.entries()) {
        const box = { x, y, width: sizes[i]!.width, height };
        namespaces.set(netns.name, box);
        placeDevices(gridOf(netns, inside), inside, box, devices, ports);
        x += box.width + between;
      }
      y += height + BETWEEN_ROWS;
    }
  return { width, height: Math.max(y - BETWEEN_ROWS, 0) + MARGIN, namespaces, devices, ports };
}

/** Namespaces by how far up or down from the host they are. */
function levels({ namespaces, links }: Topology): NamespaceNode[][] {
  const levelOf = new Map<string, number>([[HOST, 0]]);
  for (let isMore = true; isMore; ) {
    isMore = false;
    for (const { kind, a, b } of links) {
      const [above, below] = [a.netns?.name ?? "", b.netns?.name ?? ""];
      const [up, down] = [levelOf.get(above), levelOf.get(below)];
      if ((up === undefined) === (down === undefined)) continue;
      if (down !== undefined) levelOf.set(above, kind === "slave" ? down - 1 : down + 1);
      else levelOf.set(below, up! + 1);
      isMore = true;
    }
  }
  const found = new Map<number, NamespaceNode[]>();
  for (const netns of namespaces) {
    const level = levelOf.get(netns.name) ?? -1; // where its slaves will be
    found.set(level, [...(found.get(level) ?? []), netns]);
  }
  return [...found.entries()].sort(([a], [b]) => a - b).map(([, level]) => level);
}

/** As few rows as have room, and those about as long as each other: five in two rows are three and two. */
function rows<T>(all: readonly T[], widthOf: (one: T) => number, room: number, gap: number): T[][] {
  const found: T[][] = [];
  for (const one of all) {
    const last = found.at(-1);
    if (last !== undefined && widthOfRow([...last, one], widthOf, gap) <= room) last.push(one);
    else found.push([one]);
  }
  const each = Math.ceil(all.length / found.length);
  const even = found
    .map((_, i) => all.slice(i * each, (i + 1) * each))
    .filter((row) => row.length > 0);
  return even.every((row) => widthOfRow(row, widthOf, gap) <= room) ? even : found;
}

const widthOfRow = <T>(row: readonly T[], widthOf: (one: T) => number, gap: number): number =>
  row.reduce((sum, one) => sum + widthOf(one), 0) + gap * (row.length - 1);

/** What stands below a device's name. */
export function linesOf({ addresses }: DeviceNode): readonly string[] {
  if (addresses.length <= LINES_MAX) return addresses;
  const shown = addresses.slice(0, LINES_MAX - 1);
  return [...shown, `and ${addresses.length - shown.length} more`];
}

/** With its middle left out, if it is too long. */
export function shortened(text: string, width: number): string {
  const max = Math.max(3, Math.floor(width / CHARACTER));
  if (text.length <= max) return text;
  const head = Math.ceil((max - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (max - 1 - head))}`;
}

export const portText = ({
  mode,
  flag,
}: {
  readonly mode: string;
  readonly flag: string;
}): string => `port ${mode} ${flag}`;

/** No wider than there is room in a box. */
function deviceSize(node: DeviceNode, room: number): Size {
  const lines = linesOf(node);
  const longest = Math.max(
    node.name.length + BESIDE_NAME,
    ...lines.map((line) => line.length),
    node.port === undefined ? 0 : portText(node.port).length + 1,
  );
  const width = Math.max(DEVICE_MIN, Math.ceil(longest * CHARACTER) + 2 * BESIDE_TEXT);
  const port = node.port === undefined ? 0 : PORT;
  return {
    width: Math.min(width, room - 2 * PADDING),
    height: port + NAME + lines.length * LINE + (lines.length > 0 ? 6 : 2),
  };
}

function sizeOf(netns: NamespaceNode, room: number): Size {
  const grid = gridOf(netns, room).map((row) => row.map((one) => deviceSize(one, room)));
  const widths = grid.map((row) => widthOfRow(row, widthOf, GAP));
  const heights = grid.map((row) => Math.max(...row.map((size) => size.height)));
  const title = netns.name.length * TITLE_CHARACTER;
  return {
    width: Math.min(room, 2 * PADDING + Math.max(BOX_MIN, title, ...widths)),
    height:
      TITLE +
      PADDING +
      heights.reduce((sum, height) => sum + height + GAP, heights.length ? -GAP : 8),
  };
}

const gridOf = ({ devices }: NamespaceNode, room: number): DeviceNode[][] =>
  rows(devices, (one) => deviceSize(one, room).width, Math.min(room, BOX_MAX) - 2 * PADDING, GAP);

function placeDevices(
  grid: readonly (readonly DeviceNode[])[],
  room: number,
  box: Box,
  devices: Map<Device, Box>,
  ports: Map<Device, Box>,
): void {
  let y = box.y + TITLE;
  for (const row of grid) {
    const sizes = row.map((one) => deviceSize(one, room));
    const height = Math.max(...sizes.map((size) => size.height));
    let x = box.x + (box.width - widthOfRow(sizes, widthOf, GAP)) / 2;
    for (const [i, one] of row.entries()) {
      const { width, height: own } = sizes[i]!;
      const port = one.port === undefined ? 0 : PORT;
      const top = y + height - own;
      if (port > 0) ports.set(one.device, { x, y: top, width, height: PORT });
      devices.set(one.device, { x, y: top + port, width, height: own - port });
      x += width + GAP;
    }
    y += height + GAP;
  }
}
