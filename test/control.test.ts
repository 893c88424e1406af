/**
 * What people type, replayed: the recording of Linux's ipvlan (`test/kernel/control.json`) against our command and
 * daemon on real devices. Exit statuses, error texts and devices must be the recorded ones. The other way is in
 * `control-kernel.test.ts`.
 */
import { replayAll } from "./control/suite.ts";

await replayAll(import.meta.url, "howto", "ebpf");
