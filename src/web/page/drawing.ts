/** The simulated host as SVG: boxes, devices, cables; and packets on their way, each with a shape of its kind. */
import type { Device } from "../../sim/device.ts";
import type { Place } from "../../sim/recorder.ts";
import type { World } from "../../sim/shell/world.ts";
import type { Shot } from "../film.ts";
import type { Kind } from "../kinds.ts";
import * as layout from "../layout.ts";
import * as paths from "../paths.ts";
import type { Packet } from "../record.ts";
import {
  type DeviceNode,
  findAt,
  type NamespaceNode,
  type Topology,
  topologyOf,
} from "../topology.ts";
import { element, svg } from "./dom.ts";

/** Before it knows how wide it is. */
const WIDTH_AT_FIRST = 720;
/** How much larger a small host may be drawn, and how high it may become by that. */
const SCALES = [1.3, 1.15];
const HEIGHT_MAX = 560;
/** Of a packet's text beside it. */
const LABEL_MAX = 34;
/** Packets at once that have one each; more would cover each other. */
const LABELS_MAX = 8;
/** How far beside; and above, where there is no room at either side. */
const BESIDE = 14;
const ABOVE = -24;

export class Drawing {
  readonly #svg = svg("svg", { role: "group", "aria-label": "Namespaces, devices and links" });
  readonly #packets = svg("g", { class: "packets" });
  readonly #more = element("p", { class: "hint" });
  readonly #onPick: (packet: Packet) => void;
  readonly #still: MediaQueryList = matchMedia("(prefers-reduced-motion: reduce)");
  #topology: Topology = { namespaces: [], links: [], omitted: 0 };
  #layout: layout.Layout = layout.layOut(this.#topology, WIDTH_AT_FIRST);
  #width: number = WIDTH_AT_FIRST;
  #shots: readonly Shot[] = [];
  #marks: ReadonlyMap<Shot, SVGElement> = new Map();
  #atMs = 0;
  readonly #paths: Map<Device, Map<Device, readonly paths.Curve[]>> = new Map();

  constructor(into: HTMLElement, onPick: (packet: Packet) => void) {
    this.#onPick = onPick;
    into.append(this.#svg, this.#more);
    new ResizeObserver(() => {
      const width = into.clientWidth;
      if (width === 0 || width === this.#width) return;
      this.#width = width;
      this.#draw();
    }).observe(into);
  }

  show(world: World): void {
    this.#topology = topologyOf(world);
    const { omitted } = this.#topology;
    this.#more.textContent = omitted === 0 ? "" : `${omitted} more namespaces are not drawn.`;
    this.#draw();
  }

  /** What is under way at a moment of the film. */
  showPackets(shots: readonly Shot[], atMs: number): void {
    this.#shots = shots;
    this.#atMs = atMs;
    this.#packets.classList.toggle("many", shots.length > LABELS_MAX);
    const before = this.#marks;
    this.#marks = new Map(
      shots.map((shot) => [shot, before.get(shot) ?? mark(shot, () => this.#onPick(shot.packet))]),
    );
    for (const [shot, old] of before) if (!this.#marks.has(shot)) old.remove();
    for (const [shot, made] of this.#marks) this.#place(shot, made);
  }

  #draw(): void {
    const { namespaces, links } = this.#topology;
    const [scale, fitting] = fit(this.#topology, this.#width);
    this.#layout = fitting;
    this.#paths.clear();
    this.#svg.setAttribute("viewBox", `0 0 ${fitting.width} ${fitting.height}`);
    this.#svg.setAttribute("width", String(fitting.width * scale));
    this.#svg.setAttribute("height", String(fitting.height * scale));
    const drawn = links.map((link) =>
      svg("path", { class: `link ${link.kind}`, d: dOf(paths.curvesOf(fitting, links, link)) }),
    );
    this.#svg.replaceChildren(
      ...namespaces.map((netns) => this.#box(netns)),
      svg("g", { "aria-hidden": "true" }, ...drawn),
      ...namespaces.map(({ name }) => this.#title(name)),
      ...namespaces.flatMap(({ name, devices }) => devices.map((one) => this.#device(name, one))),
      this.#packets,
    );
    this.showPackets(this.#shots, this.#atMs);
  }

  #box({ name, devices }: NamespaceNode): SVGElement {
    const { x, y, width, height } = this.#layout.namespaces.get(name)!;
    const rect = { x: String(x), y: String(y), width: String(width), height: String(height) };
    return svg(
      "g",
      {
        class: "netns",
        role: "img",
        "aria-label": `namespace ${name}, devices: ${devices.length}`,
      },
      svg("rect", { ...rect, rx: "12" }),
    );
  }

  /** Upon the links. */
  #title(netns: string): SVGElement {
    const { x, y, width } = this.#layout.namespaces.get(netns)!;
    const room = ((width - 28) * layout.CHARACTER) / layout.TITLE_CHARACTER;
    const title = text(layout.shortened(netns, room), x + 14, y + 18, "title");
    title.setAttribute("aria-hidden", "true");
    return title;
  }

  #device(netns: string, node: DeviceNode): SVGElement {
    const { x, y, width, height } = this.#layout.devices.get(node.device)!;
    const port = this.#layout.ports.get(node.device);
    const top = port?.y ?? y;
    const said = [
      `${netns}/${node.name}: ${node.isUp ? "up" : "down"}, MAC ${node.mac}`,
      ...node.addresses,
      ...(node.port === undefined ? [] : [layout.portText(node.port)]),
    ].join(", ");
    const group = svg(
      "g",
      { class: `device ${node.isUp ? "up" : "down"}`, role: "img", "aria-label": said },
      svg("title", {}, said),
      svg("rect", {
        x: String(x),
        y: String(top),
        width: String(width),
        height: String(y + height - top),
        rx: "8",
      }),
      svg("circle", { cx: String(x + 14), cy: String(y + 13), r: "4" }),
      text(layout.shortened(node.name, width - 24), x + 24, y + 17.5, "name"),
    );
    if (!node.isUp) group.append(text("down", x + width - 9, y + 17.5, "state"));
    const room = width - 2 * layout.BESIDE_TEXT;
    for (const [i, line] of layout.linesOf(node).entries()) {
      const at = y + layout.NAME + 8 + i * layout.LINE;
      group.append(text(layout.shortened(line, room), x + layout.BESIDE_TEXT, at, "address"));
    }
    if (node.port !== undefined && port !== undefined)
      group.append(
        svg("path", {
          class: "port",
          d: `M${x} ${y}V${top + 8}a8 8 0 0 1 8 -8H${x + width - 8}a8 8 0 0 1 8 8V${y}Z`,
        }),
        text(layout.portText(node.port), x + width / 2, top + 18.5, "port-text"),
      );
    return group;
  }

  #place(shot: Shot, made: SVGElement): void {
    const point = this.#pointOf(shot);
    if (point === undefined) {
      made.remove();
      return;
    }
    made.setAttribute("transform", `translate(${point.x.toFixed(1)} ${point.y.toFixed(1)})`);
    if (made.parentNode === null) this.#packets.append(made);
    const label = made.querySelector(".label")!;
    const width = Number(label.getAttribute("data-width"));
    const end = this.#layout.width - width;
    const isLeft = point.x + BESIDE > end && point.x - BESIDE - width >= 0;
    const x = isLeft ? -BESIDE - width : Math.min(BESIDE, end - point.x);
    const y = isLeft || x === BESIDE ? 0 : ABOVE;
    label.setAttribute("transform", `translate(${x.toFixed(1)} ${y})`);
  }

  /** Undefined: what it was on is there no more. */
  #pointOf({ event, startMs, endMs }: Shot): paths.Point | undefined {
    if (event.kind === "loss") return this.#cornerOf(event.at);
    const [from, to] = [findAt(this.#topology, event.from), findAt(this.#topology, event.to)];
    if (from === undefined || to === undefined) return undefined;
    const path = this.#pathOf(from, to);
    if (path.length === 0) return this.#cornerOf(event.to);
    const part = eased((this.#atMs - startMs) / (endMs - startMs));
    return paths.pointOn(path, this.#still.matches ? 0.5 : part);
  }

  /** As long as nothing is drawn anew, it is where it was. */
  #pathOf(from: Device, to: Device): readonly paths.Curve[] {
    const known = this.#paths.get(from)?.get(to);
    if (known !== undefined) return known;
    const path = paths.pathOf(this.#layout, this.#topology.links, from, to);
    const others = this.#paths.get(from) ?? new Map();
    this.#paths.set(from, others.set(to, path));
    return path;
  }

  /** Of a device, where it hides nothing. */
  #cornerOf(place: Place): paths.Point | undefined {
    const device = findAt(this.#topology, place);
    const box = device && this.#layout.devices.get(device);
    return box && { x: box.x + box.width - 4, y: box.y + box.height - 2 };
  }
}

/** As large as there is room for without another row. */
function fit(topology: Topology, width: number): [number, layout.Layout] {
  const plain = layout.layOut(topology, width);
  for (const scale of SCALES) {
    const larger = layout.layOut(topology, width / scale);
    if (larger.height <= plain.height && larger.height * scale <= HEIGHT_MAX)
      return [scale, larger];
  }
  return [1, plain];
}

/** Slow at both ends, so that one sees where it comes from and where it goes. */
const eased = (t: number): number => (t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2);

function mark({ packet, event }: Shot, onPick: () => void): SVGElement {
  const isLost = event.kind === "loss";
  const what = isLost ? `lost: ${event.reason}` : inShort(packet.text);
  const made = svg(
    "g",
    {
      class: `packet ${packet.kind}${isLost ? " lost" : ""}`,
      role: "button",
      tabindex: "0",
      "aria-label": `packet ${packet.number}: ${packet.text}${isLost ? `, ${what}` : ""}`,
    },
    svg("circle", { class: "halo", r: "15" }),
    shape(packet.kind),
    label(what.length > LABEL_MAX ? `${what.slice(0, LABEL_MAX)}…` : what),
  );
  if (isLost) made.append(svg("path", { class: "cross", d: "M-8 -8L8 8M8 -8L-8 8" }));
  made.addEventListener("click", onPick);
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onPick();
  });
  return made;
}

/** Without its ends, which the drawing shows. */
const inShort = (text: string): string => text.replace(/^\S+ > \S+ /, "").replace(/ tell \S+$/, "");

function label(content: string): SVGElement {
  const width = Math.ceil(content.length * layout.CHARACTER) + 12;
  const height = 20;
  return svg(
    "g",
    { class: "label", "data-width": String(width), "aria-hidden": "true" },
    svg("rect", { y: String(-height / 2), width: String(width), height: String(height), rx: "6" }),
    text(content, 6, 4, "label-text"),
  );
}

/** Told apart without colour, too. */
export function shape(kind: Kind): SVGElement {
  switch (kind) {
    case "neighbour":
      return svg("path", { class: "shape", d: "M0 -8.5L8.5 0L0 8.5L-8.5 0Z" });
    case "icmp":
      return svg("circle", { class: "shape", r: "7" });
    case "transport":
      return svg("rect", {
        class: "shape",
        x: "-6.5",
        y: "-6.5",
        width: "13",
        height: "13",
        rx: "2",
      });
    case "other":
      return svg("path", { class: "shape", d: "M0 -8L8 6.5H-8Z" });
  }
}

const dOf = (curves: readonly paths.Curve[]): string =>
  curves.map(([a, b, c, d]) => `M${a.x} ${a.y}C${b.x} ${b.y} ${c.x} ${c.y} ${d.x} ${d.y}`).join("");

const text = (content: string, x: number, y: number, kind: string): SVGElement =>
  svg("text", { class: kind, x: String(x), y: String(y) }, content);
