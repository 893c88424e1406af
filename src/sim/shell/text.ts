/** Text as UTF-8, without the classes of a browser or of Node. */

export function bytesOf(text: string): Uint8Array {
  const wellFormed = text.replace(/[\ud800-\udfff]/gu, "\ufffd");
  const escaped = encodeURIComponent(wellFormed).matchAll(/%(..)|./g);
  return Uint8Array.from(escaped, ([character, hex]) =>
    hex === undefined ? character.charCodeAt(0) : Number.parseInt(hex, 16),
  );
}

/** Bytes that are no UTF-8 are taken for Latin-1. */
export function textOf(bytes: Uint8Array): string {
  const characters = Array.from(bytes, (byte) => String.fromCharCode(byte));
  try {
    return decodeURIComponent(
      Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
    );
  } catch {
    return characters.join("");
  }
}
