/** Runs scripts on the simulated host. */
import { Shell } from "../src/sim/shell/shell.ts";

export interface Transcript {
  readonly status: number;
  readonly said: string;
  readonly complaint: string;
}

export function runScript(script: string): Transcript {
  let [said, complaint] = ["", ""];
  const shell = new Shell({
    print: (text) => {
      said += text;
    },
    complain: (text) => {
      complaint += text;
    },
  });
  const status = shell.run(script, "script");
  return { status, said, complaint };
}
