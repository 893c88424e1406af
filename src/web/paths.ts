/** How links run in the drawing, and packets on them: down from row to row, between the boxes of rows that they pass. */
import type { Device } from "../sim/device.ts";
import { BETWEEN_ROWS, type Box, type Layout } from "./layout.ts";
import type { Link } from "./topology.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A cubic Bézier curve. */
export type Curve = readonly [Point, Point, Point, Point];

/** From a box that is passed, and from the next link in the same gap. */
const BESIDE = 10;
const APART = 4;
/** Links beside each other in one gap; the next ones run where these do. */
const LANES = 5;

/** The way of something that goes from one device to the other; none: there is no link that is drawn. */
export function pathOf(layout: Layout, links: readonly Link[], from: Device, to: Device): Curve[] {
  for (const link of links) {
    if (link.a === from && link.b === to) return curvesOf(layout, links, link);
    if (link.b === from && link.a === to) return reversed(curvesOf(layout, links, link));
  }
  const [mine, other] = [from, to].map((end) =>
    links.find((link) => link.kind === "slave" && link.a === end),
  );
  if (mine === undefined || mine.b !== other?.b) return [];
  return [...pathOf(layout, links, from, mine.b), ...pathOf(layout, links, mine.b, to)];
}

/** From `a` to `b`; none: one of them is not drawn. */
export function curvesOf(layout: Layout, links: readonly Link[], link: Link): Curve[] {
  const a = layout.devices.get(link.a);
  const b = (link.kind === "slave" && layout.ports.get(link.b)) || layout.devices.get(link.b);
  if (a === undefined || b === undefined) return [];
  const lane = links.indexOf(link) % LANES;
  const ofA = a.x + a.width / 2;
  const ofB = b.x + b.width * (link.kind === "slave" ? shareOf(layout, links, link) : 0.5);
  if (a.y + a.height <= b.y)
    return descend(layout, { x: ofA, y: a.y + a.height }, { x: ofB, y: b.y }, lane);
  if (b.y + b.height <= a.y)
    return reversed(descend(layout, { x: ofB, y: b.y + b.height }, { x: ofA, y: a.y }, lane));
  const low = Math.max(a.y + a.height, b.y + b.height) + BETWEEN_ROWS / 2;
  const [start, end] = [
    { x: ofA, y: a.y + a.height },
    { x: ofB, y: b.y + b.height },
  ];
  return [[start, { x: start.x, y: low }, { x: end.x, y: low }, end]];
}

/** `t` from 0 to 1. */
export function pointOn(path: readonly Curve[], t: number): Point {
  const lengths = path.map(lengthOf);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  let rest = Math.min(Math.max(t, 0), 1) * total;
  for (const [i, curve] of path.entries()) {
    const length = lengths[i]!;
    if (rest <= length || i === path.length - 1)
      return pointOf(curve, length === 0 ? 0 : rest / length);
    rest -= length;
  }
  throw new Error("a path has curves");
}

function pointOf([a, b, c, d]: Curve, t: number): Point {
  const along = (of: (point: Point) => number) =>
    of(a) * (1 - t) ** 3 +
    of(b) * 3 * t * (1 - t) ** 2 +
    of(c) * 3 * t ** 2 * (1 - t) +
    of(d) * t ** 3;
  return { x: along((point) => point.x), y: along((point) => point.y) };
}

/** About: between the chord and the way by the other two points. */
const lengthOf = ([a, b, c, d]: Curve): number =>
  (distance(a, d) + distance(a, b) + distance(b, c) + distance(c, d)) / 2;

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

const reversed = (path: readonly Curve[]): Curve[] =>
  path.map(([a, b, c, d]): Curve => [d, c, b, a]).reverse();

function descend(layout: Layout, from: Point, to: Point, lane: number): Curve[] {
  const path: Curve[] = [];
  let at = from;
  for (const row of rowsBetween(layout, from.y, to.y)) {
    const x = gapIn(row, layout.width, (at.x + to.x) / 2) + (lane - (LANES - 1) / 2) * APART;
    const [top, bottom] = [row[0]!.y, row[0]!.y + row[0]!.height];
    const [above, below] = [
      { x, y: top - BESIDE },
      { x, y: bottom + BESIDE },
    ];
    path.push(bend(at, above), [above, above, below, below]);
    at = below;
  }
  return [...path, bend(at, to)];
}

function bend(a: Point, b: Point): Curve {
  const half = (a.y + b.y) / 2;
  return [a, { x: a.x, y: half }, { x: b.x, y: half }, b];
}

/** Rows of boxes that lie whole between two heights, from left to right each. */
function rowsBetween({ namespaces }: Layout, top: number, bottom: number): Box[][] {
  const rows = new Map<number, Box[]>();
  for (const box of namespaces.values())
    if (box.y > top && box.y + box.height < bottom)
      rows.set(box.y, [...(rows.get(box.y) ?? []), box]);
  return [...rows.values()].sort(([a], [b]) => a!.y - b!.y);
}

/** The middle of the gap that is nearest. */
function gapIn(row: readonly Box[], width: number, x: number): number {
  const [first, last] = [row[0]!, row.at(-1)!];
  const between = row.slice(1).map((box, i) => (row[i]!.x + row[i]!.width + box.x) / 2);
  const outside = [
    Math.max(first.x - 2 * BESIDE, 0),
    Math.min(last.x + last.width + 2 * BESIDE, width),
  ];
  const gaps = [...between, ...outside];
  return gaps.reduce((best, gap) => (Math.abs(gap - x) < Math.abs(best - x) ? gap : best));
}

/** Slaves of a port arrive side by side, from left to right as they stand. */
function shareOf(layout: Layout, links: readonly Link[], link: Link): number {
  const x = (one: Link) => layout.devices.get(one.a)?.x ?? 0;
  const all = links
    .filter((one) => one.kind === "slave" && one.b === link.b)
    .sort((one, two) => x(one) - x(two));
  return (all.indexOf(link) + 1) / (all.length + 1);
}
