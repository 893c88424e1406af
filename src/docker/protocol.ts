/**
 * What dockerd asks of a network driver: libnetwork's remote driver protocol, as dockerd 20.10 speaks it
 * (`test/docker/recorded.json`). Only what is read here is described; the rest is passed over.
 */

export interface CreateNetwork {
  readonly NetworkID: string;
  readonly Options?: {
    readonly "com.docker.network.generic"?: Readonly<Record<string, unknown>>;
    readonly "com.docker.network.internal"?: boolean;
  };
  readonly IPv4Data?: readonly IpamData[] | null;
  readonly IPv6Data?: readonly IpamData[] | null;
}

/** Both with prefix length. */
export interface IpamData {
  readonly Pool?: string;
  readonly Gateway?: string;
}

export interface OfNetwork {
  readonly NetworkID: string;
}

export interface OfEndpoint extends OfNetwork {
  readonly EndpointID: string;
}

export interface CreateEndpoint extends OfEndpoint {
  readonly Interface?: {
    readonly Address?: string;
    readonly AddressIPv6?: string;
    readonly MacAddress?: string;
  } | null;
}

export interface JoinAnswer {
  readonly InterfaceName: { readonly SrcName: string; readonly DstPrefix: string };
  readonly Gateway?: string;
  readonly GatewayIPv6?: string;
  readonly DisableGatewayService?: boolean;
  readonly StaticRoutes?: readonly {
    readonly Destination: string;
    readonly RouteType: number;
    readonly NextHop: string;
  }[];
}

/** Parts of what names devices and labels. */
const id = { type: "string", pattern: "^[0-9a-z]{12,64}$" } as const;
const text = { type: "string", maxLength: 256 } as const;
const object = <Properties extends object>(properties: Properties, ...required: string[]) => ({
  type: "object",
  properties,
  required,
});
const ipam = {
  type: "array",
  nullable: true,
  maxItems: 256,
  items: object({ Pool: text, Gateway: text }),
} as const;

type Body = "createNetwork" | "network" | "createEndpoint" | "endpoint";

/** JSON Schemas. */
export const bodies: Readonly<Record<Body, object>> = {
  createNetwork: object(
    {
      NetworkID: id,
      Options: object({
        "com.docker.network.generic": { type: "object", additionalProperties: true },
        "com.docker.network.internal": { type: "boolean" },
      }),
      IPv4Data: ipam,
      IPv6Data: ipam,
    },
    "NetworkID",
  ),
  network: object({ NetworkID: id }, "NetworkID"),
  endpoint: object({ NetworkID: id, EndpointID: id }, "NetworkID", "EndpointID"),
  createEndpoint: object(
    {
      NetworkID: id,
      EndpointID: id,
      Interface: {
        ...object({ Address: text, AddressIPv6: text, MacAddress: text }),
        nullable: true,
      },
    },
    "NetworkID",
    "EndpointID",
  ),
};
