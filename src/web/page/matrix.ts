/** Who reaches whom, as a table: a mark of its own shape and colour per family, and why not. */
import { FAMILIES, type Reach } from "../reach.ts";
import { byId, element } from "./dom.ts";

const MARKS = { yes: "✓", no: "✗", none: "–" } as const;

/** Ends for which half a page is wide enough. */
const NARROW_MAX = 6;

export class Matrix {
  readonly #table = byId("matrix", HTMLTableElement);
  readonly #why = byId("why", HTMLElement);
  #picked = "";

  show(reach: Reach): void {
    byId("reach", HTMLElement).classList.toggle("wide", reach.ends.length > NARROW_MAX);
    const heads = reach.ends.map((end) => element("th", { scope: "col" }, end));
    const rows = reach.ends.map((from) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, from),
        ...reach.ends.map((to) => this.#cell(reach, from, to)),
      ),
    );
    this.#table.replaceChildren(
      element("caption", { class: "hidden" }, "Rows ping columns, by IPv4 and IPv6"),
      element("thead", {}, element("tr", {}, element("td", {}, "from, to"), ...heads)),
      element("tbody", {}, ...rows),
    );
    const again = this.#table.querySelector<HTMLElement>(
      `[data-pair="${CSS.escape(this.#picked)}"]`,
    );
    this.#why.textContent = again?.getAttribute("aria-label") ?? "";
    again?.setAttribute("aria-pressed", "true");
  }

  #cell(reach: Reach, from: string, to: string): HTMLElement {
    if (from === to) return element("td", { class: "self" });
    const answers = FAMILIES.map((family) => ({ family, answered: reach.find(from, to, family) }));
    const words = answers.map(({ family, answered }) => {
      if (answered === undefined) return `${family}: no address`;
      const end = answered.reason === undefined ? "answers" : `✗ ${answered.reason}`;
      return `${family} ${answered.to}: ${end}`;
    });
    const why = `${from} → ${to}. ${words.join(". ")}.`;
    const button = element(
      "button",
      {
        type: "button",
        "data-pair": `${from} ${to}`,
        title: why,
        "aria-label": why,
        "aria-pressed": "false",
      },
      ...answers.map(({ family, answered }) => {
        const kind = answered === undefined ? "none" : answered.reason === undefined ? "yes" : "no";
        return element("span", { class: kind, "data-family": family }, `${family} ${MARKS[kind]}`);
      }),
    );
    button.addEventListener("click", () => {
      this.#table.querySelector('[aria-pressed="true"]')?.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", "true");
      this.#picked = `${from} ${to}`;
      this.#why.textContent = why;
    });
    return element("td", {}, button);
  }
}
