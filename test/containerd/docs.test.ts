/** What the documents tell users of containerd to type does what they show. */
import { testTranscripts } from "../documents.ts";
import { onContainerd } from "./ground.ts";

await onContainerd(import.meta.url, {}, () => {
  testTranscripts("run with containerd");
});
