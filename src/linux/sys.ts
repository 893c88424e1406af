/**
 * libc through koffi: the one file that knows the FFI. Calls of the control side throw `SysError`; those of
 * the frame path (`…At`, which take an address in mapped memory) return what libc returned, and `errno()`
 * tells the rest.
 *
 * Addresses are plain numbers: user space ends below 2^47. Every Buffer whose address is stored in a
 * structure is kept in a field of a long-lived object: a collected one would be freed under the kernel.
 */
import koffi from "koffi";

const c = koffi.load(null);
const libc = {
  bind: c.func("bind", "int", ["int", "void *", "uint"]),
  close: c.func("close", "int", ["int"]),
  epoll_create1: c.func("epoll_create1", "int", ["int"]),
  epoll_ctl: c.func("epoll_ctl", "int", ["int", "int", "int", "void *"]),
  epoll_wait: c.func("epoll_wait", "int", ["int", "void *", "int", "int"]),
  eventfd: c.func("eventfd", "int", ["uint", "int"]),
  flock: c.func("flock", "int", ["int", "int"]),
  getsockopt: c.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]),
  ioctl: c.func("ioctl", "int", ["int", "ulong", "void *"]),
  if_nametoindex: c.func("if_nametoindex", "uint", ["str"]),
  mmap: c.func("mmap", "uintptr_t", ["uintptr_t", "size_t", "int", "int", "int", "int64"]),
  mount: c.func("mount", "int", ["str", "str", "str", "ulong", "void *"]),
  munmap: c.func("munmap", "int", ["uintptr_t", "size_t"]),
  open: c.func("open", "int", ["str", "int", "int"]),
  poll: c.func("poll", "int", ["void *", "ulong", "int"]),
  read: c.func("read", "int64", ["int", "void *", "size_t"]),
  readAt: c.func("read", "int64", ["int", "uintptr_t", "size_t"]),
  recv: c.func("recv", "int64", ["int", "void *", "size_t", "int"]),
  recvmsg: c.func("recvmsg", "int64", ["int", "void *", "int"]),
  sched_yield: c.func("sched_yield", "int", []),
  send: c.func("send", "int64", ["int", "void *", "size_t", "int"]),
  sendAt: c.func("send", "int64", ["int", "uintptr_t", "size_t", "int"]),
  sendto: c.func("sendto", "int64", ["int", "void *", "size_t", "int", "void *", "uint"]),
  sendtoAt: c.func("sendto", "int64", ["int", "uintptr_t", "size_t", "int", "void *", "uint"]),
  setns: c.func("setns", "int", ["int", "int"]),
  setsockopt: c.func("setsockopt", "int", ["int", "int", "int", "void *", "uint"]),
  socket: c.func("socket", "int", ["int", "int", "int"]),
  strerror: c.func("strerror", "str", ["int"]),
  syscallBpf: c.func("syscall", "int64", ["long", "int", "void *", "uint"]),
  umount2: c.func("umount2", "int", ["str", "int"]),
  unshare: c.func("unshare", "int", ["int"]),
  write: c.func("write", "int64", ["int", "void *", "size_t"]),
};

export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const CLONE_NEWNET = 0x40000000;
export const EPOLLIN = 1;

const O_CLOEXEC = 0o2000000;
/** A place in the file system, without opening what is there. man: open(2). */
export const O_PATH = 0o10000000;
export const ENOENT = 2;
export const E2BIG = 7;
export const EAGAIN = 11;
export const EINVAL = 22;
export const ENOSPC = 28;
const MS_BIND = 0x1000;
const MNT_DETACH = 2;

/** errno → name, of those a person may meet here. */
const ERRNO: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  6: "ENXIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  24: "EMFILE",
  28: "ENOSPC",
  30: "EROFS",
  34: "ERANGE",
  38: "ENOSYS",
  67: "ENOLINK",
  90: "EMSGSIZE",
  92: "ENOPROTOOPT",
  93: "EPROTONOSUPPORT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  105: "ENOBUFS",
  113: "EHOSTUNREACH",
};

export const errno = (): number => koffi.errno();
export const errnoName = (n: number): string => ERRNO[n] ?? `errno ${n}`;
export const strerror = (n: number): string => libc.strerror(n);

/** The kernel said no: what was wanted, then why. */
export class SysError extends Error {
  readonly code: string;
  readonly errno: number;
  constructor(doing: string, number: number) {
    super(`${doing}: ${strerror(number)}`);
    this.name = "SysError";
    this.errno = number;
    this.code = errnoName(number);
  }
}

function ok(result: number, doing: string): number {
  if (result < 0) throw new SysError(doing, errno());
  return result;
}

export const close = (fd: number): void => {
  libc.close(fd);
};

export function openFile(path: string, doing: string = `open ${path}`): number {
  return ok(libc.open(path, O_CLOEXEC, 0), doing);
}

/** Whether this process now holds the lock on an open file; it does until it ends. man: flock(2). */
export function tryLock(fd: number): boolean {
  const EXCLUSIVE = 2;
  const NOT_WAITING = 4;
  return libc.flock(fd, EXCLUSIVE | NOT_WAITING) === 0;
}

export function socket(domain: number, type: number, protocol: number, doing = "socket"): number {
  return ok(libc.socket(domain, type | SOCK_CLOEXEC, protocol), doing);
}

export function bind(fd: number, addr: Uint8Array, doing = "bind"): void {
  ok(libc.bind(fd, addr, addr.length), doing);
}

/** `value`: an int, or the bytes of a structure. */
export function setsockopt(
  fd: number,
  level: number,
  option: number,
  value: number | Uint8Array,
  doing: string,
): void {
  const bytes = typeof value === "number" ? int32(value) : value;
  ok(libc.setsockopt(fd, level, option, bytes, bytes.length), doing);
}

/** As `setsockopt`, without keeping this thread waiting; `value` must not change meanwhile. */
export function setsockoptLater(
  fd: number,
  level: number,
  option: number,
  value: Uint8Array,
  doing: string,
): Promise<void> {
  return later(doing, (done) =>
    libc.setsockopt.async(fd, level, option, value, value.length, done),
  );
}

export const closeLater = (fd: number): Promise<void> =>
  later(`close ${fd}`, (done) => libc.close.async(fd, done));

/** Calls on other threads at once; koffi refuses more than some dozens. */
const LATER_MAX = 16;
let laterCount = 0;
const laterQueue: (() => void)[] = [];

/** A call that runs on another thread. */
async function later(
  doing: string,
  call: (done: (error: unknown, result: number) => void) => void,
): Promise<void> {
  if (laterCount === LATER_MAX) await new Promise<void>((turn) => laterQueue.push(turn));
  else laterCount++;
  try {
    await new Promise<void>((resolve, reject) =>
      call((error, result) => {
        if (error) reject(error);
        else if (result < 0) reject(new SysError(doing, errno()));
        else resolve();
      }),
    );
  } finally {
    const next = laterQueue.shift();
    if (next === undefined) laterCount--;
    else next();
  }
}

export function getsockopt(fd: number, level: number, option: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  ok(libc.getsockopt(fd, level, option, bytes, int32(size)), "getsockopt");
  return bytes;
}

/** What the request returns: for some a descriptor. */
export const ioctl = (
  fd: number,
  request: number,
  into: Uint8Array | null,
  doing: string,
): number => ok(libc.ioctl(fd, request, into), doing);

/** Bytes sent, or -1. */
export const send = (fd: number, bytes: Uint8Array): number =>
  libc.send(fd, bytes, bytes.length, 0);
export const sendto = (fd: number, bytes: Uint8Array, to: Uint8Array): number =>
  libc.sendto(fd, bytes, bytes.length, 0, to, to.length);
/** Bytes received, without waiting; or -1. */
export const receive = (fd: number, into: Uint8Array): number =>
  libc.recv(fd, into, into.length, MSG_DONTWAIT);
const MSG_DONTWAIT = 0x40;

export const sendAt: (fd: number, at: number, length: number) => number = (fd, at, length) =>
  libc.sendAt(fd, at, length, 0);
export const sendtoAt: (fd: number, at: number, length: number, to: Uint8Array) => number = (
  fd,
  at,
  length,
  to,
) => libc.sendtoAt(fd, at, length, 0, to, to.length);
export const readAt: (fd: number, at: number, length: number) => number = libc.readAt;

/** Waits until `fd` can be read; false when `timeoutMs` passed first. */
export function poll(fd: number, events: number, timeoutMs: number): boolean {
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(fd, 0);
  pollfd.writeUInt16LE(events, 4);
  return libc.poll(pollfd, 1, timeoutMs) > 0;
}

/** Lets others that want this processor have it first. */
export const yieldProcessor = (): void => {
  libc.sched_yield();
};

export const ifIndex = (name: string): number => libc.if_nametoindex(name);

export const mapShared = (fd: number, length: number, doing: string): number =>
  mapMemory(fd, length, 0, true, doing);

/** Shared memory of a descriptor, from `offset` on. */
export function mapMemory(
  fd: number,
  length: number,
  offset: number,
  isWritable: boolean,
  doing: string,
): number {
  const READ = 1;
  const WRITE = 2;
  const MAP_SHARED = 1;
  const at = libc.mmap(0, length, isWritable ? READ | WRITE : READ, MAP_SHARED, fd, offset);
  if (at === -1 || at >= 2 ** 47) throw new SysError(doing, errno());
  return Number(at);
}
export const unmap = (at: number, length: number): void => {
  libc.munmap(at, length);
};
/** Mapped memory as an ArrayBuffer, without a copy; dead once it is unmapped. */
export const memory = (at: number, length: number): ArrayBuffer => koffi.view(BigInt(at), length);
/** Where a Buffer lies. It stays there as long as it is reachable. */
export const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes));

export const setns = (fd: number, doing: string): void => {
  ok(libc.setns(fd, CLONE_NEWNET), doing);
};
export const unshareNet = (): void => {
  ok(libc.unshare(CLONE_NEWNET), "make a network namespace");
};
export const bindMount = (what: string, where: string): void => {
  ok(libc.mount(what, where, "none", MS_BIND, null), `mount ${what} on ${where}`);
};
/** A file system that is on no disk. */
export const mountType = (type: string, where: string): void => {
  ok(libc.mount(type, where, type, 0, null), `mount ${type} on ${where}`);
};
export const unmount = (where: string): void => {
  ok(libc.umount2(where, MNT_DETACH), `unmount ${where}`);
};

/** The number of bpf(2), which libc has no function for, by architecture. */
const SYS_BPF: Readonly<Record<string, number>> = {
  arm: 386,
  arm64: 280,
  ia32: 357,
  loong64: 280,
  ppc64: 361,
  riscv64: 280,
  s390x: 351,
  x64: 321,
};

/** What the command returns, or -1. `attributes` is a union bpf_attr, or its beginning. man: bpf(2). */
export function bpf(command: number, attributes: Uint8Array): number {
  const number = SYS_BPF[process.arch] ?? -1; // -1: ENOSYS
  return Number(libc.syscallBpf(number, command, attributes, attributes.length));
}

/** A counter that wakes whoever polls it. man: eventfd(2). */
export class EventFd {
  readonly fd: number;
  readonly #eight: Buffer = Buffer.alloc(8);

  constructor(fd: number = ok(libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC), "eventfd")) {
    this.fd = fd;
  }
  signal(): void {
    this.#eight.writeBigUInt64LE(1n);
    libc.write(this.fd, this.#eight, 8);
  }
  clear(): void {
    libc.read(this.fd, this.#eight, 8);
  }
  close(): void {
    close(this.fd);
  }
}

/** Which of many descriptors can be read. man: epoll(7). */
export class Epoll {
  static readonly EVENTS_MAX = 256;
  readonly #fd: number = ok(libc.epoll_create1(O_CLOEXEC), "epoll");
  readonly #events: Buffer = Buffer.from(new ArrayBuffer(12 * Epoll.EVENTS_MAX));
  readonly #words: Int32Array = new Int32Array(this.#events.buffer);

  /** `key`: what `ready` tells when `fd` can be read. */
  add(fd: number, key: number): void {
    const event = Buffer.alloc(12);
    event.writeUInt32LE(EPOLLIN, 0);
    event.writeUInt32LE(key, 4);
    ok(libc.epoll_ctl(this.#fd, 1, fd, event), "epoll add");
  }
  remove(fd: number): void {
    libc.epoll_ctl(this.#fd, 2, fd, Buffer.alloc(12));
  }
  /** Waits at most `timeoutMs`; how many descriptors are ready (0 when a signal came). */
  wait(timeoutMs: number): number {
    return Math.max(0, libc.epoll_wait(this.#fd, this.#events, Epoll.EVENTS_MAX, timeoutMs));
  }
  /** Key of the i-th ready descriptor. */
  ready(i: number): number {
    return this.#words[i * 3 + 1]!;
  }
  close(): void {
    close(this.#fd);
  }
}

/** Datagrams with their control message. man: recvmsg(2), netlink(7). */
export class MessageReceiver {
  readonly data: Buffer;
  readonly #control: Buffer = Buffer.from(new ArrayBuffer(64));
  readonly #iov: Buffer = Buffer.from(new ArrayBuffer(16));
  readonly #message: Buffer = Buffer.from(new ArrayBuffer(56));

  constructor(size: number) {
    this.data = Buffer.from(new ArrayBuffer(size));
    this.#iov.writeBigUInt64LE(BigInt(addressOf(this.data)), 0);
    this.#iov.writeBigUInt64LE(BigInt(size), 8);
    this.#message.writeBigUInt64LE(BigInt(addressOf(this.#iov)), 16);
    this.#message.writeBigUInt64LE(1n, 24);
    this.#message.writeBigUInt64LE(BigInt(addressOf(this.#control)), 32);
  }
  /** Length of the next datagram, now in `data`; or -errno. Does not wait. */
  receive(fd: number): number {
    this.#message.writeBigUInt64LE(BigInt(this.#control.length), 40);
    const length = libc.recvmsg(fd, this.#message, MSG_DONTWAIT);
    return length < 0 ? -errno() : Number(length);
  }
  /** Which namespace the last netlink message came from, by the socket's ids; -1: its own. */
  nsid(): number {
    const NETLINK_LISTEN_ALL_NSID = 8;
    const SOL_NETLINK = 270;
    const length = Number(this.#message.readBigUInt64LE(40));
    const told =
      length >= 20 &&
      this.#control.readInt32LE(8) === SOL_NETLINK &&
      this.#control.readInt32LE(12) === NETLINK_LISTEN_ALL_NSID;
    return told ? this.#control.readInt32LE(16) : -1;
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** Calls back on the event loop whenever `fd` can be read; `close` ends it. */
export function watch(fd: number, ready: () => void): { close(): void } {
  // koffi's handle closes itself when it is collected, and swallows what its callback throws.
  const called = (status: unknown) => {
    // libuv ends a watch when the descriptor has an error, such as a socket that lost messages and goes on.
    if (Number(status) < 0) handle.start({ readable: true }, called);
    try {
      ready();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
  const handle = koffi.node.poll(fd, { readable: true }, called);
  watched.add(handle);
  return {
    close() {
      watched.delete(handle);
      handle.close();
    },
  };
}
const watched = new Set<unknown>();
