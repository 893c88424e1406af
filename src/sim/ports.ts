/** Who has which port of a namespace, of one protocol. */

/** Bytes of an address: of which family. */
export type Width = 4 | 16;

/** Of a namespace and protocol. */
export const SOCKETS_MAX = 4096;
/** Given to who asks for any. Linux: net.ipv4.ip_local_port_range. */
const ANY_MIN = 32_768;
const ANY_MAX = 60_999;

export const portKey = (width: number, port: number): number => (width << 16) | port;

export class Ports<T> {
  readonly #holders: Map<number, T> = new Map();
  #last = ANY_MIN - 1;

  find(key: number): T | undefined {
    return this.#holders.get(key);
  }

  /** The port; `port` 0: any that is free. Undefined: it is in use, or there are too many. */
  add(width: Width, port: number, holder: T): number | undefined {
    if (this.#holders.size >= SOCKETS_MAX) return undefined;
    const own = port === 0 ? this.next((free) => !this.#holders.has(portKey(width, free))) : port;
    if (this.#holders.has(portKey(width, own))) return undefined;
    this.#holders.set(portKey(width, own), holder);
    return own;
  }

  remove(width: Width, port: number): void {
    this.#holders.delete(portKey(width, port));
  }

  /** One after the other; there are more than sockets. */
  next(isFree: (port: number) => boolean): number {
    do this.#last = this.#last >= ANY_MAX ? ANY_MIN : this.#last + 1;
    while (!isFree(this.#last));
    return this.#last;
  }
}
