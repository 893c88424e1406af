/** Colours for a terminal; plain text where there is none, or where NO_COLOR asks for it (https://no-color.org). */
const isColoured = process.stdout.isTTY === true && !process.env.NO_COLOR;

const style =
  (on: number, off: number) =>
  (text: string): string =>
    isColoured ? `\x1b[${on}m${text}\x1b[${off}m` : text;

export type Style = (text: string) => string;
export const bold: Style = style(1, 22);
export const dim: Style = style(2, 22);
export const red: Style = style(31, 39);
export const green: Style = style(32, 39);
export const cyan: Style = style(36, 39);
