/** Who reaches whom on the simulated host is what Linux's own driver did, in every mode and flag. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isAsPromised, pairs, readColumns } from "../../scripts/connectivity.ts";
import { SimulatedLab } from "../../scripts/simulated-lab.ts";

for (const variant of ["plain", "routed"] as const)
  describe(`${variant}: every end pings every other`, () => {
    for (const column of readColumns().filter((one) => one.variant === variant))
      test(`${column.mode} ${column.flag}`, () => {
        const outcomes = new SimulatedLab(column).pingAll(column);
        assert.equal(outcomes.length, pairs.length);
        assert.deepEqual(
          outcomes.filter((outcome) => !isAsPromised(outcome)),
          [],
        );
      });
  });
