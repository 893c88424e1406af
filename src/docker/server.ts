/** The protocol's end on the plugin socket: HTTP and JSON, `{"Err": "..."}` for whatever goes wrong. */
import fastify, { type FastifyInstance, LogController } from "fastify";
import type { Log } from "../daemon/log.ts";
import type { Driver } from "./driver.ts";
import {
  bodies,
  type CreateEndpoint,
  type CreateNetwork,
  type OfEndpoint,
  type OfNetwork,
} from "./protocol.ts";

/** dockerd's longest request has a line per published port. */
export const BODY_BYTES_MAX = 1_048_576;
/** In which a request must have come; looked at as often. */
const REQUEST_MS_MAX = 5000;
const MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json";

export function buildServer(driver: Driver, log: Log): FastifyInstance {
  const server = fastify({
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    // By themselves these are longer, and Node takes the longer of both limits for the whole request.
    http: { headersTimeout: REQUEST_MS_MAX, connectionsCheckingInterval: REQUEST_MS_MAX },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  // dockerd does not say what it sends.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => {
    try {
      done(null, body === "" ? undefined : JSON.parse(body as string));
    } catch {
      done(Object.assign(new Error("the request is not JSON"), { statusCode: 400 }));
    }
  });
  server.setSerializerCompiler(() => JSON.stringify);
  server.addHook("onSend", async (_request, reply) => {
    reply.header("content-type", MEDIA_TYPE);
  });
  server.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send({ Err: `the driver has no ${request.method} ${request.url.slice(0, 80)}` }),
  );
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const { message, statusCode = 200 } = error; // what the driver refuses is an answer
    log.warn({ request: request.url }, message);
    return reply.code(statusCode).send({ Err: message.replace(/\s*\n\s*/g, " ") });
  });

  const answer = <Body>(name: string, body: object, act: (body: Body) => Promise<object>) =>
    server.post(`/NetworkDriver.${name}`, { schema: { body } }, (request) =>
      act(request.body as Body),
    );
  const nothing = async () => ({});
  server.post("/Plugin.Activate", async () => ({ Implements: ["NetworkDriver"] }));
  server.post("/NetworkDriver.GetCapabilities", async () => ({
    Scope: "local",
    ConnectivityScope: "global",
  }));
  answer<CreateNetwork>("CreateNetwork", bodies.createNetwork, (body) =>
    driver.createNetwork(body),
  );
  answer<OfNetwork>("DeleteNetwork", bodies.network, (body) => driver.deleteNetwork(body));
  answer<CreateEndpoint>("CreateEndpoint", bodies.createEndpoint, (body) =>
    driver.createEndpoint(body),
  );
  answer<OfEndpoint>("DeleteEndpoint", bodies.endpoint, (body) => driver.deleteEndpoint(body));
  answer<OfEndpoint>("EndpointOperInfo", bodies.endpoint, () => driver.operInfo());
  answer<OfEndpoint>("Join", bodies.endpoint, (body) => driver.join(body));
  answer<OfEndpoint>("Leave", bodies.endpoint, () => driver.leave());
  // Ports need no publishing: containers have addresses of the network outside. Other hosts are none of our concern.
  answer("ProgramExternalConnectivity", bodies.endpoint, nothing);
  answer("RevokeExternalConnectivity", bodies.endpoint, nothing);
  server.post("/NetworkDriver.DiscoverNew", nothing);
  server.post("/NetworkDriver.DiscoverDelete", nothing);
  return server;
}
