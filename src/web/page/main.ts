/** The playground: a session, and all that shows it. */
import { isScenario } from "../../sim/scenario/scenario.ts";
import { Film } from "../film.ts";
import { KINDS, type Kind } from "../kinds.ts";
import type { Packet } from "../record.ts";
import { type Scene, scenesOf } from "../scenes.ts";
import { linesOf, Session } from "../session.ts";
import { byId, element, svg } from "./dom.ts";
import { Drawing, shape } from "./drawing.ts";
import { type Example, examples } from "./examples.ts";
import { Matrix } from "./matrix.ts";
import { PacketList } from "./packet-list.ts";
import { PacketSheet } from "./packet-sheet.ts";
import { Player } from "./player.ts";
import { Ports } from "./ports.ts";
import { fragmentOf, LinkError, linesOfFragment } from "./share.ts";
import { Terminal } from "./terminal.ts";
import { followTheme } from "./theme.ts";

let film = new Film();
let session = new Session((step) => film.add(step));
/** Number of the last packet that was cleared from the list. */
let cleared = 0;
const kinds = new Set(Object.keys(KINDS) as Kind[]);

const notice = byId("notice", HTMLElement);
const drawing = new Drawing(byId("drawing", HTMLElement), pick);
const player = new Player(film, kinds, (shots, atMs) => drawing.showPackets(shots, atMs));
const list = new PacketList(pick);
const matrix = new Matrix();
const ports = new Ports((line) => run([line]));
const terminal = new Terminal({ session: () => session, onLines: run });
const sheet = new PacketSheet({
  onEvent: (event) => {
    const shot = film.shots.find((one) => one.event === event);
    if (shot !== undefined) player.seek(shot);
  },
  onClose: (number) => {
    list.mark(undefined);
    list.focus(number);
  },
});

makeLegend();
makeExamples();
followTheme(byId("theme", HTMLButtonElement));
byId("share", HTMLButtonElement).addEventListener("click", () => void share());
byId("restart", HTMLButtonElement).addEventListener("click", () => {
  begin([]);
  terminal.focus();
});
byId("clear", HTMLButtonElement).addEventListener("click", () => {
  cleared = session.record.packets.at(-1)?.number ?? 0;
  refreshList();
});
addEventListener("error", ({ message }) => fail(message));
addEventListener("unhandledrejection", ({ reason }) => fail(String(reason)));
addEventListener("hashchange", () => void open());
refresh();
void open();

/** Lines are run one after the other, whatever becomes of each, as in a terminal. */
function run(lines: readonly string[]): void {
  say("");
  const before = film.lengthMs;
  terminal.write(lines.map((line) => session.run(line)));
  refresh();
  showFrom(before);
}

/** A new host, and lines for it. */
function begin(lines: readonly string[]): void {
  film = new Film();
  session = new Session((step) => film.add(step));
  cleared = 0;
  sheet.close();
  player.load(film);
  terminal.clear();
  refresh();
  if (lines.length > 0) run(lines);
}

function refresh(): void {
  drawing.show(session.world);
  ports.show(session);
  refreshList();
  matrix.refresh([...session.lines]);
}

function refreshList(): void {
  list.show(session.record.packets, kinds, cleared);
}

function pick(packet: Packet): void {
  const shot = film.shots.find((one) => one.packet === packet);
  if (shot !== undefined) player.seek(shot);
  list.mark(packet.number);
  sheet.show(packet);
}

function makeLegend(): void {
  const parts = (Object.keys(KINDS) as Kind[]).map((kind) => {
    const input = element("input", { type: "checkbox", id: `kind-${kind}` });
    input.checked = true;
    input.addEventListener("change", () => {
      if (input.checked) kinds.add(kind);
      else kinds.delete(kind);
      player.setKinds(kinds);
      refreshList();
    });
    const icon = svg("svg", {
      viewBox: "-10 -10 20 20",
      class: `icon ${kind}`,
      "aria-hidden": "true",
    });
    icon.append(shape(kind));
    return element("label", { for: `kind-${kind}` }, input, icon, KINDS[kind]);
  });
  byId("kinds", HTMLElement).append(...parts);
}

function makeExamples(): void {
  const choice = byId("example", HTMLSelectElement);
  const story = byId("story", HTMLElement);
  const chosen = (): Example => examples[Number(choice.value)]!;
  choice.append(...examples.map(({ title }, i) => element("option", { value: String(i) }, title)));
  const tellStory = () => story.replaceChildren(...paragraphs(chosen().story));
  choice.addEventListener("change", tellStory);
  tellStory();
  byId("run-example", HTMLButtonElement).addEventListener("click", () => {
    const { text, title } = chosen();
    if (isScenario(text)) play(scenesOf(text, title));
    else begin(linesOf(text));
    terminal.focus();
  });
}

/** Of Markdown, without its marks. */
function paragraphs(story: string): HTMLElement[] {
  return story.split(/\n\s*\n/).map((text) => element("p", {}, text.replaceAll("`", "")));
}

/** A scenario on a new host, with what came of it between the lines. Shown from what is sent first. */
function play(scenes: readonly Scene[]): void {
  begin([]);
  let fromMs: number | undefined;
  for (const { isTrial, lines, outcomes } of scenes) {
    if (isTrial) fromMs ??= film.lengthMs;
    terminal.write(lines.map((line) => session.run(line)));
    for (const { text, instead } of outcomes)
      if (instead === undefined) terminal.say(`✓ ${text}`, "right");
      else terminal.say(`✗ ${text}, but ${instead}`, "wrong");
  }
  refresh();
  showFrom(fromMs ?? 0);
}

/** Plays what is in the film behind this moment. */
function showFrom(ms: number): void {
  const first = film.shots.find(({ endMs }) => endMs > ms);
  if (first !== undefined) player.playFrom(first.startMs);
}

async function share(): Promise<void> {
  try {
    history.replaceState(null, "", await fragmentOf(session.lines));
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    say(`There is no link to this host: ${error.message}.`, true);
    return;
  }
  const isCopied = await navigator.clipboard.writeText(location.href).then(
    () => true,
    () => false,
  );
  const where = isCopied ? "The link is copied" : "The link is this page’s address";
  say(`${where}: whoever opens it finds this host as it is now.`);
}

/** What the page’s address asks for. */
async function open(): Promise<void> {
  try {
    const lines = await linesOfFragment(location.hash);
    if (lines !== undefined) begin(lines.flatMap(linesOf));
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    say(`This link cannot be read: ${error.message}. The host is as it was.`, true);
  }
}

/** A mistake of ours: what is there goes on. */
function fail(message: string): void {
  say(`The playground has failed: ${message}`, true);
}

function say(message: string, isWrong = false): void {
  notice.textContent = message;
  notice.hidden = message === "";
  notice.classList.toggle("wrong", isWrong);
}
