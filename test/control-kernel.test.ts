/**
 * As `control.test.ts`, on ports that are told to do as Linux does; on one engine, since what a port is told is none of
 * its business. What compat does not show in is left out unless all is asked for.
 */
import { replayAll } from "./control/suite.ts";

await replayAll(import.meta.url, "kernel", "userspace");
