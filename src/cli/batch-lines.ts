/**
 * A batch's text, cut into lines as iproute2 cuts it: `#` begins a comment, a backslash at the end continues a line,
 * words stand between blanks or in quotes. Pure.
 *
 * Text is of bytes, one to a character: a line that is not ours goes to the system as it was written.
 */
import { STATUS_FAILED, UsageError } from "../words/errors.ts";

export interface BatchLine {
  /** As written, with its ends and comments. */
  readonly text: string;
  /** The number of the last line of the text that belongs to it, from one on: iproute2 tells that one. */
  readonly number: number;
  /** None: it ends a batch, whether it is to go on after failures or not. */
  readonly words: readonly string[] | undefined;
}

/** Bytes of a line, with all that continues it. */
const LINE_MAX = 1 << 20;
/** iproute2: MAX_ARGS, less the end of its list. */
const WORDS_MAX = 511;

export class BatchReader {
  /** The beginning of a line whose end has not come yet, as written. */
  #rest = "";
  /** What is before the last line of it, as written and without what counts for nothing. */
  #text = "";
  #meant = "";
  #number = 0;

  /** Lines that end in this piece. */
  push(piece: string): BatchLine[] {
    const pieces = `${this.#rest}${piece}`.split(/(?<=\n)/);
    this.#rest = pieces.at(-1)?.endsWith("\n") === false ? pieces.pop()! : "";
    if (this.#rest.length + this.#text.length > LINE_MAX) {
      throw new UsageError(
        `ipvlan: line ${this.#number + 1} of the batch is too long`,
        STATUS_FAILED,
      );
    }
    return pieces.flatMap((line) => this.#add(line) ?? []);
  }

  /** The last line, if it has no end. */
  end(): BatchLine[] {
    const last = this.#rest === "" ? undefined : this.#add(this.#rest);
    if (last !== undefined) return [last];
    // A line that was to be continued: nothing of ours, the system says so.
    return this.#text === "" ? [] : [this.#complete(["\\"])];
  }

  #add(line: string): BatchLine | undefined {
    this.#number++;
    this.#text += line;
    const [meant = ""] = line.split("#", 1);
    this.#meant += meant.replace(/\\\n$/, "");
    return meant.endsWith("\\\n") ? undefined : this.#complete(findWords(this.#meant));
  }

  #complete(words: readonly string[] | undefined): BatchLine {
    const line = { text: this.#text, number: this.#number, words };
    [this.#text, this.#meant] = ["", ""];
    return line;
  }
}

/** None: a quote has no end, or there are more words than iproute2 takes. */
export function findWords(text: string): string[] | undefined {
  const words: string[] = [];
  const blank = /[ \t\r\n]*/y;
  const word = /"([^"]*)"|'([^']*)'|([^"' \t\r\n][^ \t\r\n]*)/y;
  for (let at = 0; ; at = word.lastIndex) {
    blank.lastIndex = at;
    blank.exec(text);
    word.lastIndex = blank.lastIndex;
    if (word.lastIndex === text.length) return words;
    const [, double, single, plain] = word.exec(text) ?? [];
    const found = double ?? single ?? plain;
    if (found === undefined || words.length === WORDS_MAX) return undefined;
    words.push(found);
  }
}
