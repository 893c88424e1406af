/** The control API: JSON over HTTP on a unix socket that only its owner may use. Types: control.ts. */
import fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { PortError } from "../driver/errors.ts";
import { compats, flags, modes, type Settings } from "../driver/settings.ts";
import { NetlinkError } from "../linux/netlink/socket.ts";
import { SysError, strerror } from "../linux/sys.ts";
import type { ChangeLink, ControlError, CreateLink } from "./control.ts";
import { linkInfo, portInfo } from "./info.ts";
import type { Registry } from "./registry.ts";

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

/** `stop` ends the daemon once the answer is on its way. */
export function buildApi(registry: Registry, stop: (remove: boolean) => void): FastifyInstance {
  const api = fastify({ forceCloseConnections: true });
  api.setErrorHandler((error, _request, reply) => refuse(reply, error));
  api.setNotFoundHandler((_request, reply) => refuse(reply, new PortError("EOPNOTSUPP"), 404));

  api.post<{ Body: CreateLink }>(
    "/v1/links",
    { schema: { body: schemas.create } },
    async ({ body }, reply) => {
      const { port, slave, touched } = await registry.addSlave(body);
      const link = linkInfo(port, slave, registry.nsidOf(body.netns));
      return reply.code(201).send({ link, touched: touched.map(({ name }) => name) });
    },
  );

  api.patch<{ Body: ChangeLink }>(
    "/v1/links",
    { schema: { body: schemas.change } },
    async ({ body }) => {
      const { port, slave, touched } = await registry.setSlave(body.netns, body.name, body);
      const link = linkInfo(port, slave, registry.nsidOf(body.netns));
      return { link, touched: touched.map(({ name }) => name) };
    },
  );

  api.delete<{ Body: { netns: string; name: string } }>(
    "/v1/links",
    { schema: { body: schemas.remove } },
    async ({ body }, reply) => {
      await registry.removeSlave(body.netns, body.name);
      return reply.code(204).send();
    },
  );

  api.get<{ Querystring: { netns: string } }>(
    "/v1/links",
    { schema: { querystring: schemas.here } },
    async ({ query }) => {
      registry.settle();
      const here = registry.nsidOf(query.netns);
      const links = registry.ports.flatMap((port) =>
        port.slaves.all().map((slave) => linkInfo(port, slave, here)),
      );
      return { links };
    },
  );

  api.get<{ Querystring: { netns: string } }>(
    "/v1/ports",
    { schema: { querystring: schemas.here } },
    async ({ query }) => {
      registry.settle();
      const here = registry.nsidOf(query.netns);
      return { ports: registry.ports.map((port) => portInfo(port, here)) };
    },
  );

  api.patch<{ Body: { netns: string; master: string; compat: Settings["compat"] } }>(
    "/v1/ports",
    { schema: { body: schemas.compat } },
    async ({ body }) => {
      const port = await registry.setCompat(body.netns, body.master, body.compat);
      return { port: portInfo(port, registry.nsidOf(body.netns)) };
    },
  );

  api.post<{ Body: { remove?: boolean } }>(
    "/v1/stop",
    { schema: { body: schemas.stop } },
    async ({ body }, reply) => {
      reply.raw.once("finish", () => stop(body.remove === true));
      return reply.code(202).send({});
    },
  );

  return api;
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
