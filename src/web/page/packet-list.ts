/** Packets as a table: what moves in the drawing, as text. */
import { tellPlace } from "../../sim/tell.ts";
import type { Kind } from "../kinds.ts";
import { hopsOf, lossesOf, type Packet, startOf } from "../record.ts";
import { byId, element, svg } from "./dom.ts";
import { shape } from "./drawing.ts";

/** The newest that are listed. */
const ROWS_MAX = 300;

/** Of a packet's way. */
const HOPS_MAX = 12;

export class PacketList {
  readonly #body = byId("list", HTMLElement);
  readonly #none = byId("no-packets", HTMLElement);
  readonly #onPick: (packet: Packet) => void;
  #marked: number | undefined;

  constructor(onPick: (packet: Packet) => void) {
    this.#onPick = onPick;
  }

  /** The newest first. `since`: packets up to this number are not listed. */
  show(packets: readonly Packet[], kinds: ReadonlySet<Kind>, since: number): void {
    const listed = packets
      .filter(({ kind, number }) => number > since && kinds.has(kind))
      .slice(-ROWS_MAX)
      .reverse();
    this.#body.replaceChildren(...listed.map((packet) => this.#row(packet)));
    this.#none.hidden = listed.length > 0;
    this.mark(this.#marked);
  }

  mark(number: number | undefined): void {
    this.#marked = number;
    for (const row of this.#body.children)
      row.classList.toggle("picked", row.getAttribute("data-number") === String(number));
  }

  /** Where one came from. */
  focus(number: number): void {
    this.#body.querySelector<HTMLElement>(`[data-number="${number}"] button`)?.focus();
  }

  #row(packet: Packet): HTMLElement {
    const { number, kind, text, startMs } = packet;
    const pick = element("button", { type: "button", class: "pick" }, text);
    const icon = svg("svg", {
      viewBox: "-10 -10 20 20",
      class: `icon ${kind}`,
      "aria-hidden": "true",
    });
    icon.append(shape(kind));
    const row = element(
      "tr",
      { "data-number": String(number) },
      element("td", { class: "number" }, String(number)),
      element("td", { class: "number" }, (startMs / 1000).toFixed(3)),
      element("td", { class: "what" }, icon, pick),
      element(
        "td",
        {},
        wayOf(packet),
        ...lossesOf(packet)
          .slice(0, 1)
          .map(({ reason }) => element("span", { class: "lost" }, `lost: ${reason}`)),
      ),
    );
    row.addEventListener("click", () => {
      if (getSelection()?.isCollapsed !== false) this.#onPick(packet);
    });
    return row;
  }
}

/** `ns0/ipvl0 → host/eth0 → lan/w0, ns1/ipvl1`: copies of a flood behind commas. */
export function wayOf(packet: Packet): string {
  let way = "";
  let [lastFrom, lastTo] = ["", ""];
  const hops = hopsOf(packet);
  for (const hop of hops.slice(0, HOPS_MAX)) {
    const [from, to] = [tellPlace(hop.from), tellPlace(hop.to)];
    if (way !== "" && from === lastTo) way += ` → ${to}`;
    else if (way !== "" && from === lastFrom) way += `, ${to}`;
    else way += `${way === "" ? "" : "; "}${from} → ${to}`;
    [lastFrom, lastTo] = [from, to];
  }
  if (hops.length > HOPS_MAX) way += ` and ${hops.length - HOPS_MAX} more`;
  return way || startOf(packet);
}
