/** What the documents tell users of podman to type does what they show. */
import { afterEach } from "node:test";
import { testTranscripts } from "../documents.ts";
import { onPodman, removeAll } from "./ground.ts";

await onPodman(import.meta.url, {}, () => {
  afterEach(removeAll);
  testTranscripts("run with podman");
});
