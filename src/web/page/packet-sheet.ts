/** One packet: where it came by and why, its fields, its bytes; the bytes of a field are marked. */
import type { Step } from "../../driver/explain.ts";
import { wordsOf } from "../../sim/losses.ts";
import type { Decision, Event } from "../../sim/recorder.ts";
import { tellPlace } from "../../sim/tell.ts";
import { dissect, type Field } from "../dissect.ts";
import type { Packet } from "../record.ts";
import { byId, element } from "./dom.ts";

const BYTES_PER_LINE = 16;

export interface PacketSheetParts {
  /** One of those that are listed is picked. */
  readonly onEvent: (event: Event) => void;
  /** The packet of this number is shown no more. */
  readonly onClose: (number: number) => void;
}

export class PacketSheet {
  readonly #sheet = byId("sheet", HTMLElement);
  readonly #title = byId("sheet-title", HTMLElement);
  readonly #body = byId("sheet-body", HTMLElement);
  readonly #parts: PacketSheetParts;
  readonly #bytes = element("div");
  #shown: Packet | undefined;
  #cells: readonly HTMLElement[] = [];

  constructor(parts: PacketSheetParts) {
    this.#parts = parts;
    byId("close", HTMLButtonElement).addEventListener("click", () => this.close());
    this.#sheet.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.close();
    });
  }

  show(packet: Packet): void {
    this.#shown = packet;
    this.#title.textContent = `Packet ${packet.number}: ${packet.text}`;
    this.#body.replaceChildren(
      element("h3", {}, "What becomes of it"),
      element("ol", { class: "story" }, ...packet.events.map((event) => this.#event(event))),
      this.#bytes,
    );
    this.#showBytes(packet.bytes);
    this.#sheet.hidden = false;
    this.#sheet.scrollTop = 0;
    this.#title.focus();
  }

  close(): void {
    if (this.#shown === undefined) return;
    const { number } = this.#shown;
    this.#shown = undefined;
    this.#sheet.hidden = true;
    this.#parts.onClose(number);
  }

  /** Its frame is another at each: MACs and TTL change. */
  #event(event: Event): HTMLElement {
    const time = element("span", { class: "number" }, `${(event.atMs / 1000).toFixed(6)} s`);
    const pick = element("button", { type: "button", class: "pick" }, tell(event));
    pick.addEventListener("click", () => {
      this.#showBytes(event.bytes);
      this.#parts.onEvent(event);
    });
    const item = element("li", { class: event.kind }, time, pick);
    if (event.kind === "decision") item.append(ruleTable(event));
    return item;
  }

  #showBytes(bytes: Uint8Array): void {
    const dump = this.#dump(bytes);
    this.#bytes.replaceChildren(
      element("h3", {}, "Fields"),
      this.#fields(bytes),
      element("h3", {}, `Bytes (${bytes.length})`),
      dump,
    );
  }

  #fields(bytes: Uint8Array): HTMLElement {
    const layers = dissect(bytes).map(({ name, fields }) =>
      element(
        "tbody",
        {},
        element("tr", {}, element("th", { colspan: "2", scope: "rowgroup" }, name)),
        ...fields.map((field) => this.#field(field)),
      ),
    );
    return element("table", { class: "fields" }, ...layers);
  }

  #field(field: Field): HTMLElement {
    const last = field.at + field.length - 1;
    const range = field.length === 1 ? `${field.at}` : `${field.at}–${last}`;
    const button = element(
      "button",
      { type: "button", title: `bytes ${range}`, "aria-label": `${field.name}, bytes ${range}` },
      field.name,
    );
    const row = element("tr", {}, element("td", {}, button), element("td", {}, field.value));
    const mark = () => this.#mark(row, field);
    row.addEventListener("pointerenter", mark);
    row.addEventListener("click", mark);
    button.addEventListener("focus", mark);
    return row;
  }

  #mark(row: HTMLElement, { at, length }: Field): void {
    for (const one of this.#body.querySelectorAll("tr.picked")) one.classList.remove("picked");
    row.classList.add("picked");
    for (const [i, cell] of this.#cells.entries())
      cell.classList.toggle("picked", i >= at && i < at + length);
  }

  #dump(bytes: Uint8Array): HTMLElement {
    this.#cells = Array.from(bytes, (byte) =>
      element("span", {}, byte.toString(16).padStart(2, "0")),
    );
    const lines: HTMLElement[] = [];
    for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) {
      const cells = this.#cells.slice(at, at + BYTES_PER_LINE);
      const offset = element("span", { class: "offset" }, at.toString(16).padStart(4, "0"));
      lines.push(element("div", {}, offset, ...cells.flatMap((cell) => [" ", cell])));
    }
    return element("div", { class: "dump", role: "img", "aria-label": "hexadecimal" }, ...lines);
  }
}

function tell(event: Event): string {
  switch (event.kind) {
    case "hop":
      return `${tellPlace(event.from)} → ${tellPlace(event.to)}`;
    case "loss":
      return `lost at ${tellPlace(event.at)}, ${event.reason}: ${wordsOf(event.reason)}`;
    case "decision":
      return `${tellPlace(event.at)}, ${HOOKS[event.hook]}: ${event.outcome}`;
  }
}

/** When a port is asked. */
const HOOKS: Readonly<Record<Decision["hook"], string>> = {
  xmit: "sent by the slave",
  receive: "received by the master",
  input: "behind the master’s hooks",
};

/** The rules that it came to, in order; the last one decides. */
function ruleTable({ explanation: { steps, rule } }: Decision): HTMLElement {
  const rows = steps.map((step, i) =>
    element(
      "tr",
      { class: i === steps.length - 1 ? "decides" : "" },
      element("th", { scope: "row" }, step.rule?.name ?? ""),
      element("td", {}, step.holds ? "yes" : "no"),
      element("td", {}, step.rule?.words ?? "", ...factsOf(step)),
    ),
  );
  return element(
    "details",
    {},
    element("summary", {}, `by rule ${rule.name}: ${rule.words}`),
    element("table", { class: "rules" }, element("tbody", {}, ...rows)),
  );
}

function factsOf({ conditions }: Step): HTMLElement[] {
  const facts = conditions.flatMap((condition) => condition.facts);
  return facts.length === 0 ? [] : [element("span", { class: "facts" }, facts.join(", "))];
}
