/** Describes the control API in OpenAPI 3.1, from what the routes say of themselves. */
import type { RouteOptions } from "fastify";
import { components, type Schema } from "./schemas.ts";

/** What a route says of itself. */
interface RouteSchema {
  readonly summary?: string;
  readonly body?: Schema;
  readonly querystring?: Schema;
  readonly response?: Readonly<Record<string, Schema>>;
}

export function describeApi(routes: readonly RouteOptions[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { url, method, schema } of routes) {
    paths[url] ??= {};
    paths[url][String(method).toLowerCase()] = describeRoute((schema ?? {}) as RouteSchema);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "ipvlan daemon",
      version: "1",
      description:
        "HTTP on the unix socket control.sock in the daemon's folder. Whoever changes a port needs CAP_NET_ADMIN over " +
        "its master's network namespace. `netns` and `target` are paths that open to a network namespace.",
    },
    paths,
    components: { schemas: components },
  };
}

function describeRoute({ summary, body, querystring, response = {} }: RouteSchema): object {
  return {
    summary,
    ...(querystring && { parameters: parametersOf(querystring) }),
    ...(body && { requestBody: { required: true, ...json(body) } }),
    responses: Object.fromEntries(
      Object.entries(response).map(([status, schema]) => [
        status,
        { description: status === "default" ? "refused" : "done", ...json(schema) },
      ]),
    ),
  };
}

function parametersOf({ properties, required }: Schema): object[] {
  return Object.entries(properties as Schema).map(([name, schema]) => ({
    name,
    in: "query",
    required: (required as readonly string[]).includes(name),
    schema,
  }));
}

/** An answer of type null has no body. */
const json = (schema: Schema): object =>
  schema.type === "null" ? {} : { content: { "application/json": { schema } } };
