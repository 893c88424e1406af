/** Who reaches whom, as a table: a mark of its own shape and colour per family, and why not. */
import { ask, FAMILIES, type Family, type Reach } from "../reach.ts";
import { byId, element } from "./dom.ts";

const MARKS = { yes: "✓", no: "✗", none: "–" } as const;

type Kind = keyof typeof MARKS;

/** Longer, and motion would falter. */
const SLICE_MS = 8;
/** Ends for which half a page is wide enough. */
const NARROW_MAX = 6;

export class Matrix {
  readonly #table = byId("matrix", HTMLTableElement);
  readonly #why = byId("why", HTMLElement);
  #timer = 0;
  #picked = "";
  /** What each pair came to, and when it was shown last. */
  #now: ReadonlyMap<string, Kind> = new Map();
  #before: ReadonlyMap<string, Kind> = new Map();

  /** Asks for it anew, in the time that the page has left. */
  refresh(lines: readonly string[]): void {
    clearTimeout(this.#timer);
    this.#table.setAttribute("aria-busy", "true");
    let asking: ReturnType<typeof ask> | undefined;
    const goOn = () => {
      asking ??= ask(lines);
      const untilMs = performance.now() + SLICE_MS;
      for (let next = asking.next(); ; next = asking.next()) {
        if (next.done) return this.#show(next.value);
        if (performance.now() > untilMs) break;
      }
      this.#timer = setTimeout(goOn);
    };
    this.#timer = setTimeout(goOn);
  }

  #show(reach: Reach): void {
    this.#table.setAttribute("aria-busy", "false");
    byId("reach", HTMLElement).classList.toggle("wide", reach.ends.length > NARROW_MAX);
    this.#before = this.#now;
    this.#now = kindsOf(reach);
    const heads = reach.ends.map((end) => element("th", { scope: "col", title: end }, end));
    const rows = reach.ends.map((from) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", title: from }, from),
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
    const words = FAMILIES.map((family) => {
      const answered = reach.find(from, to, family);
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
      ...FAMILIES.map((family) => this.#mark(family, keyOf(from, to, family))),
    );
    button.addEventListener("click", () => {
      this.#table.querySelector('[aria-pressed="true"]')?.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", "true");
      this.#picked = `${from} ${to}`;
      this.#why.textContent = why;
    });
    return element("td", {}, button);
  }

  #mark(family: Family, key: string): HTMLElement {
    const [now, before] = [this.#now.get(key)!, this.#before.get(key) ?? "none"];
    const isChanged = now !== before && now !== "none" && before !== "none";
    const kind = isChanged ? `${now} changed` : now;
    return element("span", { class: kind, "data-family": family }, `${family} ${MARKS[now]}`);
  }
}

const keyOf = (from: string, to: string, family: Family): string => `${family} ${from} ${to}`;

function kindsOf(reach: Reach): Map<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const from of reach.ends)
    for (const to of reach.ends)
      for (const family of FAMILIES) {
        const answered = reach.find(from, to, family);
        const kind = answered === undefined ? "none" : answered.reason === undefined ? "yes" : "no";
        kinds.set(keyOf(from, to, family), kind);
      }
  return kinds;
}
