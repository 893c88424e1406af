/** A listening socket from systemd, which holds it while no daemon runs. man: sd_listen_fds(3), systemd.socket(5). */

/** The first descriptor that is handed over. */
const SD_LISTEN_FDS_START = 3;
/** `FileDescriptorName=` of the socket unit. */
const NAME = "control";

/** The descriptor of the control socket; undefined: nobody has handed one to this process. */
export function findHandedSocket(
  env: Readonly<NodeJS.ProcessEnv>,
  pid: number,
): number | undefined {
  const count = Number(env.LISTEN_FDS);
  if (Number(env.LISTEN_PID) !== pid || !(count > 0)) return undefined;
  if (env.LISTEN_FDNAMES === undefined) return SD_LISTEN_FDS_START;
  const at = env.LISTEN_FDNAMES.split(":").indexOf(NAME);
  if (at < 0) throw new Error(`of the sockets from systemd none is named "${NAME}"`);
  return SD_LISTEN_FDS_START + at;
}
