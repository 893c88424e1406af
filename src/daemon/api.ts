/** The control API: JSON over HTTP on a unix socket that only its owner may use. Types: control.ts. */
import { closeSync } from "node:fs";
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { PortError } from "../driver/errors.ts";
import { compats, flags, modes, type Settings } from "../driver/settings.ts";
import { NetlinkError } from "../linux/netlink/socket.ts";
import { fdPath, openNetns } from "../linux/netns.ts";
import { SysError, strerror } from "../linux/sys.ts";
import type { ChangeLink, ControlError, CreateLink, LinkChanged } from "./control.ts";
import { linkInfo, portInfo } from "./info.ts";
import { OWN_NETNS, type Registry, type Touched } from "./registry.ts";
import { rightsOf } from "./rights.ts";

const text = { type: "string", minLength: 1, maxLength: 4096 };
const mode = { enum: Object.keys(modes) };
const flag = { enum: Object.keys(flags) };

const object = (required: string[], properties: object) => ({
  type: "object",
  required,
  properties,
  additionalProperties: false,
});

const schemas = {
  create: object(["netns", "master", "name"], {
    netns: text,
    master: text,
    name: text,
    mode,
    flag,
    target: text,
    up: { type: "boolean" },
    mtu: { type: "integer", minimum: 0, maximum: 0xffffffff },
  }),
  change: object(["netns", "name"], { netns: text, name: text, mode, flag }),
  remove: object(["netns", "name"], { netns: text, name: text }),
  compat: object(["netns", "master", "compat"], {
    netns: text,
    master: text,
    compat: { enum: Object.keys(compats) },
  }),
  stop: object([], { remove: { type: "boolean" } }),
  here: object(["netns"], { netns: text }),
};

/** What the API needs of the daemon. */
export interface Served {
  readonly registry: Registry;
  /** Ends the daemon once the answer is on its way. */
  stop(remove: boolean): void;
}

export function buildApi({ registry, stop }: Served): FastifyInstance {
  const api = fastify({
    forceCloseConnections: true,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  api.setErrorHandler((error, _request, reply) => refuse(reply, error));
  api.setNotFoundHandler((_request, reply) => refuse(reply, new PortError("EOPNOTSUPP"), 404));

  const linkChanged = ({ port, slave, touched }: Touched, netns: string): LinkChanged => ({
    link: linkInfo(port, slave, registry.nsidOf(netns)),
    touched: touched.map(({ name }) => name),
  });

  api.post<{ Body: CreateLink }>(
    "/v1/links",
    { schema: { body: schemas.create } },
    async ({ body, raw }, reply) => {
      const { netns, target = netns, ...spec } = body;
      const made = await inNamespaces([netns, target], async (here, there) => {
        const request = { ...spec, netns: here, target: there };
        return linkChanged(await registry.addSlave(request, rightsOf(raw.socket)), here);
      });
      return reply.code(201).send(made);
    },
  );

  api.patch<{ Body: ChangeLink }>(
    "/v1/links",
    { schema: { body: schemas.change } },
    ({ body: { netns, name, ...said }, raw }) =>
      inNamespaces([netns], async (here) =>
        linkChanged(await registry.setSlave(here, name, said, rightsOf(raw.socket)), here),
      ),
  );

  api.delete<{ Body: { netns: string; name: string } }>(
    "/v1/links",
    { schema: { body: schemas.remove } },
    async ({ body: { netns, name }, raw }, reply) => {
      await inNamespaces([netns], (here) => registry.removeSlave(here, name, rightsOf(raw.socket)));
      return reply.code(204).send();
    },
  );

  api.get<{ Querystring: { netns: string } }>(
    "/v1/links",
    { schema: { querystring: schemas.here } },
    ({ query }) =>
      inNamespaces([query.netns], async (path) => {
        registry.settle();
        const here = registry.nsidOf(path);
        const links = registry.ports.flatMap((port) =>
          port.slaves.all().map((slave) => linkInfo(port, slave, here)),
        );
        return { links };
      }),
  );

  api.get<{ Querystring: { netns: string } }>(
    "/v1/ports",
    { schema: { querystring: schemas.here } },
    ({ query }) =>
      inNamespaces([query.netns], async (path) => {
        registry.settle();
        const here = registry.nsidOf(path);
        return { ports: registry.ports.map((port) => portInfo(port, here)) };
      }),
  );

  api.patch<{ Body: { netns: string; master: string; compat: Settings["compat"] } }>(
    "/v1/ports",
    { schema: { body: schemas.compat } },
    ({ body: { netns, master, compat }, raw }) =>
      inNamespaces([netns], async (here) => {
        const port = await registry.setCompat(here, master, compat, rightsOf(raw.socket));
        return { port: portInfo(port, registry.nsidOf(here)) };
      }),
  );

  api.post<{ Body: { remove?: boolean } }>(
    "/v1/stop",
    { schema: { body: schemas.stop } },
    async ({ body, raw }, reply) => {
      if (!rightsOf(raw.socket)(OWN_NETNS)) throw new PortError("EPERM");
      reply.raw.once("finish", () => stop(body.remove === true));
      return reply.code(202).send({});
    },
  );

  return api;
}

/**
 * Namespaces that somebody names, opened once: a path that leads elsewhere in the next moment is no way around the
 * question who may change what. `action` gets paths that open to what was opened.
 */
async function inNamespaces<T>(
  named: readonly string[],
  action: (...paths: string[]) => Promise<T>,
): Promise<T> {
  const open: number[] = [];
  try {
    for (const path of named) open.push(openNetns(path));
    return await action(...open.map(fdPath));
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** What the kernel or the port refused, in its words; what the schema refused, as a wrong argument. */
function refuse(reply: FastifyReply, error: unknown, status = 400): FastifyReply {
  return reply.code(status).send({ error: toControlError(error) });
}

function toControlError(error: unknown): ControlError {
  if (error instanceof PortError || error instanceof NetlinkError) {
    const { code, errno, extack } = error;
    return { code, errno, message: strerror(errno), ...(extack !== undefined && { extack }) };
  }
  if (error instanceof SysError)
    return { code: error.code, errno: error.errno, message: strerror(error.errno) };
  const { code, errno, message } = error as NodeJS.ErrnoException;
  if (typeof errno === "number")
    return { code: code ?? "EINVAL", errno: -errno, message: strerror(-errno) };
  return { code: "EINVAL", errno: 22, message: strerror(22), extack: message };
}
