/** The addresses of a namespace. One address may be on several devices, and with several lengths on one. */
import type { Ip, Prefix } from "../wire/address.ts";
import type { Device } from "./device.ts";
import { hasPrefix, keyOf } from "./routes.ts";

export interface Address extends Prefix {
  readonly device: Device;
  /** Nobody has said yet that it is his: RFC 4862 §5.4. */
  isTentative: boolean;
}

/** Of a namespace. */
export const ADDRESSES_MAX = 65_536;

export class AddressTable {
  /** By `keyOf`. */
  readonly #byKey: Map<number | string, readonly Address[]> = new Map();
  readonly #byDevice: Map<Device, readonly Address[]> = new Map();

  has(ip: Ip): boolean {
    return this.#byKey.has(keyOf(ip));
  }

  findOn(device: Device, ip: Ip): Address | undefined {
    return this.#byKey.get(keyOf(ip))?.find((one) => one.device === device);
  }

  of(device: Device): readonly Address[] {
    return this.#byDevice.get(device) ?? [];
  }

  list(): readonly Address[] {
    return [...this.#byKey.values()].flat();
  }

  /** False: the device has it already, or there are too many. */
  add(address: Address): boolean {
    const { ip, length, device } = address;
    const key = keyOf(ip);
    const same = this.#byKey.get(key) ?? [];
    if (
      same.some((one) => one.device === device && one.length === length) ||
      this.#byKey.size >= ADDRESSES_MAX
    )
      return false;
    this.#byKey.set(key, same.concat(address));
    this.#byDevice.set(device, this.of(device).concat(address));
    return true;
  }

  remove({ ip, length, device }: Address): void {
    const key = keyOf(ip);
    const rest = (this.#byKey.get(key) ?? []).filter(
      (one) => one.device !== device || one.length !== length,
    );
    if (rest.length > 0) this.#byKey.set(key, rest);
    else this.#byKey.delete(key);
    this.#byDevice.set(
      device,
      this.of(device).filter(
        (one) => !hasPrefix(one.ip, { ip, length: ip.length * 8 }) || one.length !== length,
      ),
    );
  }

  forget(device: Device): void {
    this.#byDevice.delete(device);
  }
}
