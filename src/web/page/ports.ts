/** Mode and flag of each port, to choose, and what they mean: the line that sets them is typed in the terminal. */
import type { Flag, Mode } from "../../driver/settings.ts";
import type { Session } from "../session.ts";
import { topologyOf } from "../topology.ts";
import { byId, element } from "./dom.ts";

const MODES: Readonly<Record<Mode, string>> = {
  l2: "slaves ask for neighbours themselves, and the LAN hears it",
  l3: "the host routes for its slaves: no ARP from them, no broadcasts, and the LAN needs a route back",
  l3s: "as l3, and the host’s firewall sees what they send and receive",
};
const FLAGS: Readonly<Record<Flag, string>> = {
  bridge: "slaves reach each other",
  private: "slaves do not reach each other",
  vepa: "what slaves send each other goes to the switch outside, which may send it back",
};

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
          choice(`${place}-mode`, "mode", Object.keys(MODES), port.mode, (mode) =>
            set(mode, port.flag),
          ),
          choice(`${place}-flag`, "flag", Object.keys(FLAGS), port.flag, (flag) =>
            set(port.mode, flag),
          ),
          element(
            "p",
            { class: "meaning" },
            `${port.mode}: ${MODES[port.mode]}. ${port.flag}: ${FLAGS[port.flag]}.`,
          ),
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
