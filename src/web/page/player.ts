/** Shows the film: plays it at a speed, stands still, goes step by step. */
import { tellPlace } from "../../sim/tell.ts";
import type { Film, Shot } from "../film.ts";
import type { Kind } from "../kinds.ts";
import { byId } from "./dom.ts";

/** Packets at once that are told of. */
const CAPTIONS_MAX = 4;

/** Is told what is to be seen. */
type Show = (shots: readonly Shot[], atMs: number) => void;

export class Player {
  readonly #show: Show;
  readonly #playButton = byId("play", HTMLButtonElement);
  readonly #moment = byId("moment", HTMLInputElement);
  readonly #controls = [
    this.#moment,
    this.#playButton,
    byId("next", HTMLButtonElement),
    byId("previous", HTMLButtonElement),
  ];
  readonly #speed = byId("speed", HTMLSelectElement);
  readonly #caption = byId("caption", HTMLElement);
  readonly #still: MediaQueryList = matchMedia("(prefers-reduced-motion: reduce)");
  #film: Film;
  #kinds: ReadonlySet<Kind>;
  #atMs = 0;
  #isPlaying = false;
  #lastFrameMs = 0;

  constructor(film: Film, kinds: ReadonlySet<Kind>, show: Show) {
    this.#film = film;
    this.#kinds = kinds;
    this.#show = show;
    this.#playButton.addEventListener("click", () => this.#toggle());
    byId("next", HTMLButtonElement).addEventListener("click", () => this.#step(1));
    byId("previous", HTMLButtonElement).addEventListener("click", () => this.#step(-1));
    this.#moment.addEventListener("input", () => {
      this.#pause();
      this.#go(Number(this.#moment.value));
    });
    this.#go(0);
  }

  /** Another film, at its end. */
  load(film: Film): void {
    this.#film = film;
    this.#pause();
    this.#go(film.lengthMs);
  }

  setKinds(kinds: ReadonlySet<Kind>): void {
    this.#kinds = kinds;
    this.#go(this.#atMs);
  }

  /** There is more from this moment on: it is played, unless motion is not wanted: then its first step is shown. */
  playFrom(ms: number): void {
    this.#go(ms);
    if (this.#still.matches) this.#step(1);
    else this.#play();
  }

  /** Shows one step of one packet. */
  seek(shot: Shot): void {
    this.#pause();
    this.#go(middleOf(shot));
  }

  #toggle(): void {
    if (this.#isPlaying) {
      this.#pause();
      this.#go(this.#atMs);
      return;
    }
    if (this.#atMs >= this.#film.lengthMs) this.#go(this.#film.startMs);
    this.#play();
  }

  #play(): void {
    if (this.#isPlaying || this.#film.lengthMs === 0) return;
    this.#isPlaying = true;
    this.#name();
    this.#lastFrameMs = performance.now();
    requestAnimationFrame((nowMs) => this.#frame(nowMs));
  }

  #pause(): void {
    this.#isPlaying = false;
    this.#name();
  }

  #name(): void {
    this.#playButton.textContent = this.#isPlaying ? "Pause" : "Play";
    this.#caption.setAttribute("aria-live", this.#isPlaying ? "off" : "polite");
  }

  #frame(nowMs: number): void {
    if (!this.#isPlaying) return;
    const passedMs = (nowMs - this.#lastFrameMs) * Number(this.#speed.value);
    this.#lastFrameMs = nowMs;
    this.#go(Math.min(this.#atMs + Math.max(0, passedMs), this.#film.lengthMs));
    if (this.#atMs >= this.#film.lengthMs) this.#pause();
    else requestAnimationFrame((laterMs) => this.#frame(laterMs));
  }

  #step(direction: 1 | -1): void {
    this.#pause();
    const shots = this.#film.shots.filter(({ packet }) => this.#kinds.has(packet.kind));
    const moments = [...new Set(shots.map(middleOf))].sort((a, b) => a - b);
    const next =
      direction === 1
        ? moments.find((ms) => ms > this.#atMs)
        : moments.findLast((ms) => ms < this.#atMs);
    this.#go(next ?? (direction === 1 ? this.#film.lengthMs : this.#film.startMs));
  }

  #go(ms: number): void {
    this.#atMs = ms;
    const { lengthMs } = this.#film;
    this.#moment.min = String(this.#film.startMs);
    this.#moment.max = String(lengthMs);
    this.#moment.value = String(ms);
    for (const control of this.#controls) control.disabled = lengthMs === 0;
    const shots = this.#film.at(ms).filter(({ packet }) => this.#kinds.has(packet.kind));
    const text =
      shots.length === 0
        ? lengthMs === 0
          ? "No packets yet."
          : "All is quiet."
        : captionOf(shots);
    if (this.#caption.textContent !== text) this.#caption.textContent = text;
    this.#moment.setAttribute("aria-valuetext", text);
    this.#show(shots, ms);
  }
}

/** When it is best seen what goes where. */
const middleOf = ({ startMs, endMs }: Shot): number => (startMs + endMs) / 2;

function captionOf(shots: readonly Shot[]): string {
  const more = shots.length - CAPTIONS_MAX;
  const lines = shots
    .slice(0, CAPTIONS_MAX)
    .map(({ packet, event }) =>
      event.kind === "hop"
        ? `${packet.text}: ${tellPlace(event.from)} → ${tellPlace(event.to)}`
        : `${packet.text}: lost at ${tellPlace(event.at)}, ${event.reason}`,
    );
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
