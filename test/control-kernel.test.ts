/** As `control.test.ts`, on ports that are told to do as Linux does. */
import { replayAll } from "./control/suite.ts";

await replayAll(import.meta.url, "kernel");
