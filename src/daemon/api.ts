/** The control API: JSON over HTTP on a unix socket that only its owner may use. Types: control.ts. */
import { closeSync } from "node:fs";
import { finished } from "node:stream/promises";
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  LogController,
  type RouteOptions,
} from "fastify";
import { PortError } from "../driver/errors.ts";
import { NetlinkError } from "../linux/netlink/socket.ts";
import { fdPath, openNetns } from "../linux/netns.ts";
import { EINVAL, SysError, strerror } from "../linux/sys.ts";
import type {
  ChangeLink,
  ChangePort,
  ControlError,
  CreateLink,
  Here,
  LinkChanged,
  RemoveLabelled,
  RemoveLink,
  Stop,
} from "./control.ts";
import { linkInfo, portInfo } from "./info.ts";
import { describeApi } from "./openapi.ts";
import { OWN_NETNS } from "./ports.ts";
import type { Registry, Touched } from "./registry.ts";
import { rightsOf } from "./rights.ts";
import { answers, requests, type Schema } from "./schemas.ts";

/** Whoever comes then is turned away. */
export const CONNECTIONS_MAX = 1024;
/** Paths and names are all that requests carry. */
export const BODY_BYTES_MAX = 65_536;
/** From a connection, or from the first byte, to the whole request. */
export const REQUEST_MS_MAX = 5000;
/** Without a byte in either direction; who stops a port of many slaves waits long. */
const IDLE_MS_MAX = 120_000;
const CHECK_MS = 1000;

/** What the API needs of the daemon. */
export interface Served {
  readonly registry: Registry;
  readonly log: FastifyBaseLogger;
  isStopping(): boolean;
  /** Resolves when everything is done but the answer. */
  stop(remove: boolean): Promise<void>;
  /** The answer is given: the daemon may end. */
  end(): void;
}

/** `answer`: by HTTP status. */
const says = (summary: string, request: object, answer: Readonly<Record<string, Schema>>) => ({
  schema: { summary, ...request, response: { ...answer, default: answers.refusal } },
});

const NO_CONTENT: Schema = { type: "null" };

export function buildApi(served: Served): FastifyInstance {
  const { registry, log } = served;
  const api = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: BODY_BYTES_MAX,
    connectionTimeout: IDLE_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    http: { headersTimeout: REQUEST_MS_MAX, connectionsCheckingInterval: CHECK_MS },
    frameworkErrors: (error, _request, reply) => refuse(reply, error, log),
    clientErrorHandler: (_error, socket) => socket.end(NOT_HTTP),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  api.server.maxConnections = CONNECTIONS_MAX;
  api.setSerializerCompiler(() => JSON.stringify); // schemas of answers are for who reads them
  api.setErrorHandler((error, _request, reply) => refuse(reply, error, log));
  api.setNotFoundHandler((_request, reply) => refuse(reply, new PortError("EOPNOTSUPP"), log, 404));
  api.addHook("preHandler", ({ raw }, _reply, proceed) => {
    if (served.isStopping()) raw.socket.destroy();
    else proceed();
  });
  const routes: RouteOptions[] = [];
  api.addHook("onRoute", (route) => {
    routes.push(route);
  });
  addLinkRoutes(api, registry);
  addPortRoutes(api, registry);

  api.post<{ Body: Stop }>(
    "/v1/stop",
    says("End the daemon", { body: requests.stop }, { 200: answers.done }),
    async ({ body, raw }, reply) => {
      if (!rightsOf(raw.socket)(OWN_NETNS)) throw new PortError("EPERM");
      await served.stop(body.remove === true);
      void finished(reply.raw)
        .catch(() => {}) // nobody waits for it any more
        .then(served.end);
      return {};
    },
  );

  api.get("/v1/openapi.json", says("This description", {}, { 200: { type: "object" } }), () =>
    describeApi(routes),
  );
  return api;
}

function addLinkRoutes(api: FastifyInstance, registry: Registry): void {
  const linkChanged = ({ port, slave, touched }: Touched, netns: string): LinkChanged => ({
    link: linkInfo(port, slave, registry.nsidOf(netns)),
    touched: touched.map(({ name }) => name),
  });

  api.post<{ Body: CreateLink }>(
    "/v1/links",
    says("Make a slave", { body: requests.createLink }, { 201: answers.linkChanged }),
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
    says(
      "Set mode and flag of a slave's port",
      { body: requests.changeLink },
      { 200: answers.linkChanged },
    ),
    ({ body: { netns, name, ...said }, raw }) =>
      inNamespaces([netns], async (here) =>
        linkChanged(await registry.setSlave(here, name, said, rightsOf(raw.socket)), here),
      ),
  );

  api.delete<{ Body: RemoveLink | RemoveLabelled }>(
    "/v1/links",
    says("Delete a slave", { body: requests.removeLink }, { 204: NO_CONTENT }),
    async ({ body, raw }, reply) => {
      const rights = rightsOf(raw.socket);
      if ("label" in body) await registry.removeLabelled(body.label, rights);
      else
        await inNamespaces([body.netns], (here) => registry.removeSlave(here, body.name, rights));
      return reply.code(204).send();
    },
  );

  api.get<{ Querystring: Here }>(
    "/v1/links",
    says("All slaves", { querystring: requests.here }, { 200: answers.links }),
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
}

function addPortRoutes(api: FastifyInstance, registry: Registry): void {
  api.get<{ Querystring: Here }>(
    "/v1/ports",
    says("All ports with their slaves", { querystring: requests.here }, { 200: answers.ports }),
    ({ query }) =>
      inNamespaces([query.netns], async (path) => {
        registry.settle();
        const here = registry.nsidOf(path);
        return { ports: registry.ports.map((port) => portInfo(port, here)) };
      }),
  );

  api.patch<{ Body: ChangePort }>(
    "/v1/ports",
    says("Set a port's ways", { body: requests.changePort }, { 200: answers.portChanged }),
    ({ body: { netns, master, ...said }, raw }) =>
      inNamespaces([netns], async (here) => {
        const port = await registry.setPort(here, master, said, rightsOf(raw.socket));
        return { port: portInfo(port, registry.nsidOf(here)) };
      }),
  );
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
function refuse(
  reply: FastifyReply,
  error: unknown,
  log: FastifyBaseLogger,
  status?: number,
): FastifyReply {
  const told = toControlError(error);
  const { statusCode = 400 } = error as FastifyError;
  if (told === undefined) log.error({ err: error });
  return reply
    .code(status ?? (told === undefined ? 500 : statusCode))
    .send({ error: told ?? { code: "EIO", errno: EIO, message: strerror(EIO) } });
}

const EIO = 5;

/** To who sends something else than requests, or takes too long for one. */
const NOT_HTTP = (() => {
  const body = JSON.stringify({ error: invalid("no request was understood") });
  const head = ["HTTP/1.1 400 Bad Request", "connection: close", "content-type: application/json"];
  return [...head, `content-length: ${body.length}`, "", body].join("\r\n");
})();

function invalid(extack: string): ControlError {
  return { code: "EINVAL", errno: EINVAL, message: strerror(EINVAL), extack };
}

/** Undefined: it is our fault. */
function toControlError(error: unknown): ControlError | undefined {
  if (error instanceof PortError || error instanceof NetlinkError) {
    const { code, errno, extack } = error;
    return { code, errno, message: strerror(errno), ...(extack !== undefined && { extack }) };
  }
  if (error instanceof SysError)
    return { code: error.code, errno: error.errno, message: strerror(error.errno) };
  const { code = "", errno, message, statusCode } = error as NodeJS.ErrnoException & FastifyError;
  if (typeof errno === "number") return { code, errno: -errno, message: strerror(-errno) };
  if (statusCode === undefined || statusCode >= 500) return undefined;
  return invalid(message);
}
