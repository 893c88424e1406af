/**
 * `ipvlan/sim`: the simulated host. A `Shell` takes lines, its `world` is what they build; a `Recorder` hears what becomes of
 * every frame, and why; a scenario says what is to be seen. Runs wherever JavaScript does.
 *
 *     const shell = new Shell({ print: console.log, complain: console.error });
 *     shell.run("ip netns exec ns0 ping -c 1 10.0.0.11", "line");
 *
 * examples/simulate.ts is a whole program. Networks other than a script's are made of `Namespace`, `Device`, `connect`,
 * `Switch` and `SimulatedPort` on a `Simulation`.
 */
export { connect, IN_FLIGHT_MAX } from "./cable.ts";
export { Clock } from "./clock.ts";
export { Device, type DeviceOptions, type Follower, type Tap } from "./device.ts";
export { type Faults, NO_FAULTS } from "./faults.ts";
export { wordsOf } from "./losses.ts";
export { Namespace } from "./namespace.ts";
export { SimulatedPort } from "./port.ts";
export {
  type Decision,
  type Event,
  type Hop,
  type Loss,
  type Place,
  Recorder,
} from "./recorder.ts";
export { type Judgement, runScenario, type ScenarioRun, type StepResult } from "./scenario/run.ts";
export { isScenario, readScenario, type Scenario, type Step } from "./scenario/scenario.ts";
export { ScriptError } from "./shell/lines.ts";
export { Shell, type ShellOptions } from "./shell/shell.ts";
export { World } from "./shell/world.ts";
export { Simulation } from "./simulation.ts";
export { Switch, type SwitchPortOptions } from "./switch.ts";
export { tell, tellPlace } from "./tell.ts";
export type { Witness } from "./witness.ts";
