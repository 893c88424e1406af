/** The thread that moves a port's frames. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Forwarder } from "./forwarder.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./shared.ts";

const port = parentPort!;
const forwarder = new Forwarder(workerData as WorkerStart, {
  next: () => receiveMessageOnPort(port)?.message as ToWorker | undefined,
  tell: (message: FromWorker) => port.postMessage(message),
});
port.postMessage({ type: "ready" } satisfies FromWorker);
forwarder.run();
