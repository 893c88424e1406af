/** What the documents tell users of Docker to type does what they show. */
import { afterEach } from "node:test";
import { testTranscripts } from "../documents.ts";
import { onDocker, removeAll } from "./ground.ts";

await onDocker(import.meta.url, {}, () => {
  afterEach(removeAll);
  testTranscripts("run with docker");
});
