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
/** Of a command, and of a word: what Linux's MAX_ARG_STRLEN lets a program have. */
const WORDS_MAX = 4096;
const WORD_MAX = 131_072;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/**
 * One command after the other; `variables` are read when a command is reached, so that it may be set before. `firstLine`:
 * the number of the text's first line.
 */
export function* readLines(
  text: string,
  variables: ReadonlyMap<string, string>,
  firstLine = 1,
): Generator<Line> {
  const reader = new Reader(text, variables, firstLine);
  for (let line = reader.next(); line !== undefined; line = reader.next())
    if (line.words.length > 0 || line.input !== undefined) yield line;
}

class Reader {
  readonly #text: string;
  readonly #variables: ReadonlyMap<string, string>;
  #at = 0;
  /** The line of the last place that was asked for. Places are asked for from front to back. */
  #line: number;
  #lineStart = 0;
  #lineEnd: number;

  constructor(text: string, variables: ReadonlyMap<string, string>, firstLine: number) {
    this.#text = text;
    this.#variables = variables;
    this.#line = firstLine;
    this.#lineEnd = this.#endOfLine(0);
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
      if (words.length >= WORDS_MAX)
        throw this.#error(at, `a command has up to ${WORDS_MAX} words`);
      words.push(this.#word());
    }
    const place = this.#placeOf(start ?? this.#at);
    return { words, place, ...(input !== undefined && { input }), isInBackground };
  }

  #skipBlanks(): void {
    for (;;) {
      const rest = this.#text.slice(this.#at, this.#at + 2);
      if (rest === "\\\n") this.#at += 2;
      else if (/^[ \t\r]/.test(rest)) this.#at++;
      else if (rest.startsWith("#")) this.#at = this.#endOfLine(this.#at);
      else return;
    }
  }

  #endOfLine(at: number): number {
    const end = this.#text.indexOf("\n", at);
    return end < 0 ? this.#text.length : end;
  }

  #word(): string {
    const start = this.#at;
    let word = "";
    for (;;) {
      if (word.length > WORD_MAX)
        throw this.#error(start, `a word has up to ${WORD_MAX} characters`);
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
    while (at > this.#lineEnd && this.#lineEnd < this.#text.length) {
      this.#line++;
      this.#lineStart = this.#lineEnd + 1;
      this.#lineEnd = this.#endOfLine(this.#lineStart);
    }
    return { line: this.#line, column: at - this.#lineStart + 1 };
  }
}
