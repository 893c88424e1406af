/**
 * A script taken apart as a shell does it, as far as scripts about networks need: words, quotes, `;`, `&&`, comments,
 * `NAME=value` and `$NAME`, `echo TEXT | COMMAND`, and `&` behind servers. What else a shell knows is refused, with its place.
 */

export interface Place {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Words of one command, and where it begins. */
export interface Line {
  readonly words: readonly string[];
  readonly place: Place;
  /** What `echo` says before a `|`. */
  readonly input?: string;
  /** The next command does not wait for its end. */
  readonly isInBackground?: boolean;
}

export class ScriptError extends Error {
  override readonly name = "ScriptError";
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(message);
    this.place = place;
  }
}

const REFUSED: Readonly<Record<string, string>> = {
  "|": "there are no pipes here but echo TEXT | COMMAND",
  ">": "there are no files here",
  "<": "there are no files here",
  "`": "there is no command substitution here",
  "(": "there are no subshells here: ip netns exec NAME COMMAND",
  ")": "there are no subshells here: ip netns exec NAME COMMAND",
};
/** What waits for others, and so may run in the background. */
const SERVERS = ["socat", "tcpdump"];
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/** One command after the other; `variables` are read when a command is reached, so that it may be set before. */
export function* readLines(text: string, variables: ReadonlyMap<string, string>): Generator<Line> {
  const reader = new Reader(text, variables);
  for (let line = reader.next(); line !== undefined; line = reader.next())
    if (line.words.length > 0 || line.input !== undefined) yield line;
}

class Reader {
  readonly #text: string;
  readonly #variables: ReadonlyMap<string, string>;
  #at = 0;

  constructor(text: string, variables: ReadonlyMap<string, string>) {
    this.#text = text;
    this.#variables = variables;
  }

  /** Up to the end of a command, which may be empty; undefined: the text is at its end. */
  next(): Line | undefined {
    if (this.#at >= this.#text.length) return undefined;
    let words: string[] = [];
    let start: number | undefined;
    let input: string | undefined;
    let isInBackground = false;
    for (;;) {
      this.#skipBlanks();
      const at = this.#at;
      const character = this.#text[at];
      if (character === undefined || character === "\n" || character === ";") {
        this.#at++;
        break;
      }
      if (character === "&") {
        isInBackground = this.#text[at + 1] !== "&";
        if (isInBackground && !words.some((word) => SERVERS.includes(word)))
          throw this.#error(at, `nothing runs in the background here but ${SERVERS.join(" and ")}`);
        this.#at += isInBackground ? 1 : 2;
        break;
      }
      if (character === "|" && words[0] === "echo" && input === undefined) {
        this.#at++;
        input = `${words.slice(1).join(" ")}\n`;
        words = [];
        continue;
      }
      start ??= at;
      words.push(this.#word());
    }
    const place = this.#placeOf(start ?? 0);
    return { words, place, ...(input !== undefined && { input }), isInBackground };
  }

  #skipBlanks(): void {
    for (;;) {
      const rest = this.#text.slice(this.#at, this.#at + 2);
      if (rest === "\\\n") this.#at += 2;
      else if (/^[ \t\r]/.test(rest)) this.#at++;
      else if (rest.startsWith("#")) this.#at = this.#endOfLine();
      else return;
    }
  }

  #endOfLine(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #word(): string {
    let word = "";
    for (;;) {
      const at = this.#at;
      const character = this.#text[at];
      if (character === undefined || /[\s;&]/.test(character)) return word;
      const reason = Object.hasOwn(REFUSED, character) ? REFUSED[character] : undefined;
      if (reason !== undefined) throw this.#error(at, reason);
      if (character === "'") word += this.#single();
      else if (character === '"') word += this.#double();
      else if (character === "$") word += this.#variable();
      else {
        if (character === "\\") this.#at++;
        word += this.#text[this.#at] ?? "";
        this.#at++;
      }
    }
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw this.#error(this.#at, "this quote has no end");
    const inside = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inside;
  }

  #double(): string {
    const start = this.#at++;
    let inside = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw this.#error(start, "this quote has no end");
      if (character === '"') {
        this.#at++;
        return inside;
      }
      if (character === "$") inside += this.#variable();
      else {
        inside += character;
        this.#at++;
      }
    }
  }

  #variable(): string {
    const rest = this.#text.slice(this.#at + 1);
    const isBraced = rest.startsWith("{");
    const name = NAME.exec(isBraced ? rest.slice(1) : rest)?.[0];
    if (name === undefined || (isBraced && rest[name.length + 1] !== "}"))
      throw this.#error(this.#at, "a variable is $NAME, with braces or without");
    this.#at += 1 + name.length + (isBraced ? 2 : 0);
    return this.#variables.get(name) ?? "";
  }

  #error(at: number, message: string): ScriptError {
    return new ScriptError(this.#placeOf(at), message);
  }

  #placeOf(at: number): Place {
    const before = this.#text.slice(0, at).split("\n");
    return { line: before.length, column: before.at(-1)!.length + 1 };
  }
}
