/** Lines as the end of a link: deflated (RFC 1951), in base64url (RFC 4648 §5), behind a sign for this way of writing it. */

const SIGN = "#lines=";
/** Of text that a link may unfold to. */
const BYTES_MAX = 256 * 1024;

/** A link that cannot be read; the message says why. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

/** Throws `LinkError` where there are too many. */
export async function fragmentOf(lines: readonly string[]): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify(lines));
  if (text.length > BYTES_MAX) throw tooMuch();
  const packed = await read(through(text, new CompressionStream("deflate-raw")));
  const binary = Array.from(packed, (byte) => String.fromCharCode(byte)).join("");
  return SIGN + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Undefined: the fragment is none of ours, as of a page without one. */
export async function linesOfFragment(fragment: string): Promise<string[] | undefined> {
  if (fragment === "" || fragment === "#") return undefined;
  if (!fragment.startsWith(SIGN)) throw new LinkError(`it should begin with ${SIGN}`);
  return parse(new TextDecoder().decode(await unpack(decode(fragment.slice(SIGN.length)))));
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    throw new LinkError("it has characters that no such link has, or too few of them");
  }
}

async function unpack(packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  try {
    return await read(through(packed, new DecompressionStream("deflate-raw")));
  } catch (error) {
    if (error instanceof LinkError) throw error;
    throw new LinkError("it is cut off, or changed");
  }
}

function parse(text: string): string[] {
  let lines: unknown;
  try {
    lines = JSON.parse(text);
  } catch {
    lines = undefined;
  }
  if (Array.isArray(lines) && lines.every((line) => typeof line === "string")) return lines;
  throw new LinkError("there are no lines in it");
}

const tooMuch = (): LinkError => new LinkError(`it would hold more than ${BYTES_MAX / 1024} KiB`);

const through = (
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): ReadableStream<Uint8Array> => new Blob([bytes]).stream().pipeThrough(stream);

async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    chunks.push(next.value);
    length += next.value.length;
    if (length > BYTES_MAX) {
      await reader.cancel();
      throw tooMuch();
    }
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
