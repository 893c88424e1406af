/** A host in memory: two slaves that are apart, a ping between them, and why it is not answered. Needs no rights. */
import { Recorder, Shell, wordsOf } from "ipvlan/sim";
import { dump, Frame } from "ipvlan/wire";

const shell = new Shell({
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
});
for (const n of [0, 1])
  shell.run(
    `ip netns add ns${n}
     ip link add link eth0 ipvl${n} netns ns${n} type ipvlan mode l3 private
     ip -n ns${n} link set ipvl${n} up
     ip -n ns${n} addr add 10.0.0.1${n}/24 dev ipvl${n}`,
    "example",
  );

const { simulation } = shell.world;
simulation.witness = new Recorder(simulation, (event) => {
  const what = dump(Frame.of(event.bytes));
  if (event.kind === "loss")
    console.log(`  ${event.at.device} lost ${what}: ${wordsOf(event.reason)}`);
  else if (event.kind === "decision") {
    const { rule } = event.explanation;
    console.log(
      `  ${event.at.device} sent ${what}: ${event.outcome}, by ${rule.name}: ${rule.words}`,
    );
  }
});
shell.run("ip netns exec ns0 ping -c 1 10.0.0.11", "example");
