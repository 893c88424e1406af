/** Versions of the CNI specification: which there are, and what changed between them. */
import { CniError, CODE } from "./errors.ts";

/** All that we speak, oldest first. */
export const VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type Version = (typeof VERSIONS)[number];

/** Said by no configuration: the oldest. */
export function getVersion(said: string): Version {
  const version = VERSIONS.find((one) => one === (said || VERSIONS[0]));
  if (version !== undefined) return version;
  const ours = VERSIONS.map((one) => `"${one}"`).join(" ");
  const details = `config is ${JSON.stringify(said)}, plugin supports [${ours}]`;
  throw new CniError(CODE.version, "incompatible CNI versions", details);
}

export const isSince = (version: Version, since: Version): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(since);

/** A command that came with a later version. */
export function demandSince(version: Version, since: Version, command: string): void {
  if (!isSince(version, since))
    throw new CniError(CODE.version, `config version does not allow ${command}`);
}

/** Versions whose results have one form, oldest form first. */
const FORMS: readonly (readonly Version[])[] = [
  ["0.1.0", "0.2.0"],
  ["0.3.0", "0.3.1", "0.4.0"],
  ["1.0.0", "1.1.0"],
];

/** Those whose results read like those of this one. */
export const alike = (version: Version): readonly Version[] =>
  FORMS.find((versions) => versions.includes(version))!;
