/** Mode and flag of each port to choose: the line that sets them is typed in the terminal. */
import type { Flag, Mode } from "../../driver/settings.ts";
import type { Session } from "../session.ts";
import { topologyOf } from "../topology.ts";
import { byId, element } from "./dom.ts";

const MODES: readonly Mode[] = ["l2", "l3", "l3s"];
const FLAGS: readonly Flag[] = ["bridge", "private", "vepa"];

export class Ports {
  readonly #into = byId("ports", HTMLElement);
  readonly #onLine: (line: string) => void;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  show(session: Session): void {
    const focused = document.activeElement?.id;
    const masters = topologyOf(session.world)
      .namespaces.flatMap(({ devices }) => devices)
      .flatMap(({ device, port }) => (port === undefined ? [] : [{ device, port }]));
    this.#into.replaceChildren(
      ...masters.map(({ device, port }) => {
        const slave = port.slaves[0]!;
        const place = `${device.netns?.name}/${device.name}`;
        const where = slave.netns?.name ?? "";
        const inside = where === session.where ? "ip" : `ip -n ${where}`;
        const set = (mode: string, flag: string) =>
          this.#onLine(`${inside} link set ${slave.name} type ipvlan mode ${mode} ${flag}`);
        return element(
          "div",
          { class: "port-choice", role: "group", "aria-label": `port of ${place}` },
          element("span", {}, `${place}`),
          choice(`${place}-mode`, "mode", MODES, port.mode, (mode) => set(mode, port.flag)),
          choice(`${place}-flag`, "flag", FLAGS, port.flag, (flag) => set(port.mode, flag)),
        );
      }),
    );
    if (focused !== undefined && focused !== "") document.getElementById(focused)?.focus();
  }
}

function choice(
  id: string,
  name: string,
  all: readonly string[],
  chosen: string,
  onChoose: (value: string) => void,
): HTMLElement {
  const parts = all.map((value) => {
    const input = element("input", { type: "radio", name: id, value, id: `${id}-${value}` });
    input.checked = value === chosen;
    input.addEventListener("change", () => onChoose(value));
    return element("label", { for: `${id}-${value}` }, input, element("span", {}, value));
  });
  return element("div", { class: "segments", role: "radiogroup", "aria-label": name }, ...parts);
}
