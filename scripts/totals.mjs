/** The totals of node's test runner (`tests 12`, `pass 12` …), which come once for each run. */

const TOTAL = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

/** Kept back from several runs, and told as one. */
export class Totals {
  failed = false;
  #counts = new Map();

  async *withhold(events) {
    for await (const event of events) {
      const total = event.type === "test:diagnostic" && TOTAL.exec(event.data.message);
      if (event.type === "test:fail" && event.data.todo === undefined) this.failed = true;
      if (total && event.data.nesting === 0) this.#add(total[1], Number(total[2]));
      else if (event.type !== "test:summary") yield event;
    }
  }

  *events() {
    for (const [name, count] of this.#counts)
      yield { type: "test:diagnostic", data: { nesting: 0, message: `${name} ${count}` } };
  }

  #add(name, count) {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }
}
