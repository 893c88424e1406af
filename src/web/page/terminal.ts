/** Lines typed, what they answer, a history and completion. */
import { complete } from "../../sim/shell/completion.ts";
import { type Answer, linesOf, type Session } from "../session.ts";
import { byId, element } from "./dom.ts";

/** Entries of the output; the oldest go. */
const ENTRIES_MAX = 1000;

const WELCOME = `A host in memory: its eth0 leads to lan, a namespace with a router.
It knows ip, ping, tcpdump, nft and others: a word that it does not know is answered with all of them.
To begin with, run the example above, or ask the router: ping 10.0.0.1`;

export interface TerminalParts {
  /** The one there is now. */
  readonly session: () => Session;
  /** Several at once, if they were pasted. */
  readonly onLines: (lines: readonly string[]) => void;
}

export class Terminal {
  readonly #parts: TerminalParts;
  readonly #log = byId("log", HTMLElement);
  readonly #screen = byId("screen", HTMLElement);
  readonly #input = byId("line", HTMLInputElement);
  readonly #prompt = byId("prompt", HTMLElement);
  #history: string[] = [];
  /** Where in the history one is; its length: at what is being typed. */
  #at = 0;
  #begun = "";
  /** Tab is the browser's once Escape was pressed. */
  #mayLeave = false;

  constructor(parts: TerminalParts) {
    this.#parts = parts;
    byId("form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(this.#input.value);
    });
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.#input.addEventListener("paste", (event) => this.#onPaste(event));
    this.#screen.addEventListener("click", ({ target }) => {
      const isText = getSelection()?.isCollapsed === false;
      if (!isText && target !== this.#log) return;
      if (!isText) this.#input.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.#scroll()).observe(this.#screen);
    this.clear();
  }

  focus(): void {
    this.#input.focus({ preventScroll: true });
  }

  /** The prompt says where one is. */
  refresh(): void {
    this.#prompt.textContent = this.#parts.session().prompt;
  }

  clear(): void {
    this.#log.replaceChildren();
    this.say(WELCOME);
    this.#history = [];
    this.#at = 0;
    this.refresh();
  }

  write(answers: readonly Answer[]): void {
    const entries = answers.map(entryOf);
    this.#log.append(...entries);
    while (this.#log.childElementCount > ENTRIES_MAX) this.#log.firstElementChild!.remove();
    for (const { line } of answers) if (line !== this.#history.at(-1)) this.#history.push(line);
    this.#at = this.#history.length;
    this.refresh();
    this.#scroll();
  }

  /** Something of the page's own, between lines. */
  say(message: string, kind: "said" | "right" | "wrong" = "said"): void {
    this.#log.append(element("p", { class: kind }, message));
    this.#scroll();
  }

  #scroll(): void {
    this.#screen.scrollTop = this.#screen.scrollHeight;
  }

  #submit(text: string): void {
    const lines = linesOf(text);
    this.#set("");
    if (lines.length > 0) this.#parts.onLines(lines);
  }

  #onPaste(event: ClipboardEvent): void {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    if (!/[\r\n]/.test(pasted.trimEnd())) return;
    event.preventDefault();
    const { value, selectionStart, selectionEnd } = this.#input;
    const end = selectionEnd ?? value.length;
    this.#submit(value.slice(0, selectionStart ?? end) + pasted + value.slice(end));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.isComposing || event.altKey || event.metaKey) return;
    const { key, ctrlKey, shiftKey } = event;
    const mayLeave = this.#mayLeave;
    this.#mayLeave = key === "Escape";
    if (key === "Tab" && !shiftKey && !mayLeave && this.#complete()) event.preventDefault();
    else if (key === "ArrowUp") this.#goBack(event, -1);
    else if (key === "ArrowDown") this.#goBack(event, 1);
    else if (ctrlKey && key === "l") {
      event.preventDefault();
      this.#log.replaceChildren();
    } else if (ctrlKey && key === "c" && this.#input.selectionStart === this.#input.selectionEnd)
      this.#set("");
  }

  #goBack(event: KeyboardEvent, by: number): void {
    event.preventDefault();
    if (this.#at === this.#history.length) this.#begun = this.#input.value;
    this.#at = Math.min(Math.max(this.#at + by, 0), this.#history.length);
    const value = this.#history[this.#at] ?? this.#begun;
    this.#input.value = value;
    this.#input.setSelectionRange(value.length, value.length);
  }

  /** False: there is nothing to be completed, and Tab goes on to the next control. */
  #complete(): boolean {
    const { value, selectionStart } = this.#input;
    if (value.trim() === "") return false;
    const at = selectionStart ?? value.length;
    const session = this.#parts.session();
    const { line, candidates } = complete(value.slice(0, at), session.world, session.where);
    if (candidates.length === 0) return false;
    if (line !== value.slice(0, at)) {
      this.#input.value = line + value.slice(at);
      this.#input.setSelectionRange(line.length, line.length);
    } else if (candidates.length > 1) this.say(candidates.join("  "));
    else return false;
    return true;
  }

  #set(value: string): void {
    this.#input.value = value;
    this.#begun = "";
    this.#at = this.#history.length;
  }
}

function entryOf({ prompt, line, output, complaint }: Answer): HTMLElement {
  const isComment = line.startsWith("#");
  const entry = element(
    "div",
    { class: "entry" },
    element(
      "div",
      { class: isComment ? "typed comment" : "typed" },
      element("span", { class: "prompt" }, prompt),
      line,
    ),
  );
  if (output !== "") entry.append(element("pre", {}, output.trimEnd()));
  if (complaint !== "") entry.append(element("pre", { class: "wrong" }, complaint.trimEnd()));
  return entry;
}
