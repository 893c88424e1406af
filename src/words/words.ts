/**
 * Words of a command line, read one after the other as iproute2 reads them: keywords may be shortened, values
 * may not, and a keyword whose value is missing ends the command.
 */
import { incomplete } from "./errors.ts";

/** Is the word the keyword or a beginning of it? iproute2: matches(). */
export const matches = (word: string, keyword: string): boolean =>
  word !== "" && keyword.startsWith(word);

/** A cursor over words. */
export class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** The next word, if there is one. */
  next(): string | undefined {
    return this.#words[this.#at++];
  }

  /** The value of the keyword just read. iproute2: NEXT_ARG(). */
  value(): string {
    const word = this.next();
    if (word === undefined) throw incomplete();
    return word;
  }

  get isEmpty(): boolean {
    return this.#at >= this.#words.length;
  }

  /** What has not been read yet. */
  rest(): string[] {
    return this.#words.slice(this.#at);
  }
}

const INTEGER = /^\s*[+-]?(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i;
const INT_MAX = 2 ** 31 - 1;

/** A C integer, decimal, octal or hexadecimal by its prefix. iproute2: get_integer(). */
export function findInteger(word: string): number | undefined {
  if (!INTEGER.test(word)) return undefined;
  const digits = word.trim().replace(/^[+-]/, "");
  const octal = /^0[0-7]+$/.test(digits);
  const size = octal ? Number.parseInt(digits, 8) : Number(digits);
  const value = word.trim().startsWith("-") ? -size : size;
  return -INT_MAX - 1 <= value && value <= INT_MAX ? value : undefined;
}

/** In UTF-8, as the kernel counts. */
export function byteLength(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4;
  }
  return length;
}
