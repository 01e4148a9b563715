// Two Envoys as the page on Envoy sets them up: one in front of a service, one that calls it, with mutual TLS between them.

import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { Pool } from "undici";
import { parse } from "yaml";
import { LocalAuthority } from "../../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { FilesWorld } from "../../support/files-world.ts";
import { ensureEnvoy } from "../../support/foreign-builds.ts";
import { trustDomain } from "../../support/machine.ts";

const page = "envoy.md";
const types = "type.googleapis.com/envoy";

/** Connections between the Envoys are made anew after this many requests, so that each rotation is met by handshakes. */
const requestsPerConnection = 20;

export class EnvoyWorld implements AsyncDisposable {
  readonly world: FilesWorld;
  readonly #stack: AsyncDisposableStack;
  readonly #envoy: string;
  #service: object = {};
  #serverPort = 0;

  private constructor(world: FilesWorld, envoy: string, stack: AsyncDisposableStack) {
    this.world = world;
    this.#envoy = envoy;
    this.#stack = stack;
  }

  static async open(): Promise<EnvoyWorld> {
    const envoy = await ensureEnvoy();
    await using stack = new AsyncDisposableStack();
    const service = createServer((_, response) => response.end("hello"));
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    stack.defer(() => {
      service.closeAllConnections();
      service.close();
    });
    const world = stack.use(await FilesWorld.open());
    world.places.set("example.org", trustDomain);
    world.places.set("/run/assay/agent/api.sock", world.machine.local.layout.workloadSocket);
    const opened = new EnvoyWorld(world, envoy, stack.move());
    opened.#service = cluster("service", (service.address() as AddressInfo).port);
    return opened;
  }

  /** Starts the Envoy in front of the service. */
  async startServer(): Promise<void> {
    this.#serverPort = Number(await this.world.port("8443"));
    const listener = parse(await this.world.block(page, "yaml", 1));
    await this.#start("server", [listener], [this.#service]);
  }

  /** Starts one that calls it, and returns who asks that one over plain HTTP. @param id by which name it asks for its certificate */
  async startClient(name: string, id?: string): Promise<Pool> {
    const port = await this.world.port(`port of ${name}`);
    const upstream = await this.world.block(page, "yaml", 2);
    const renamed =
      id === undefined ? upstream : upstream.replace(`spiffe://${trustDomain}/client`, id);
    const web = parse(renamed);
    web.typed_extension_protocol_options = {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${types}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        common_http_protocol_options: { max_requests_per_connection: requestsPerConnection },
        explicit_http_config: { http_protocol_options: {} },
      },
    };
    await this.#start(name, [plainListener(Number(port), "web")], [web]);
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 8, headersTimeout: 10_000 });
    this.#stack.defer(() => pool.destroy());
    return pool;
  }

  /** Prepares another authority, and signs with it from then on. */
  async rotateAuthority(): Promise<void> {
    const { local, call } = this.world.machine;
    const authorities = local.server.client(LocalAuthority);
    const { preparedAuthority } = await authorities.prepareX509Authority({}, call);
    const authorityId = preparedAuthority?.authorityId ?? "";
    await authorities.activateX509Authority({ authorityId }, call);
  }

  /** Serial number of the certificate that the server's Envoy shows. */
  async shownSerial(): Promise<string> {
    const socket = connect({
      port: this.#serverPort,
      host: "127.0.0.1",
      rejectUnauthorized: false,
    });
    // It ends the connection afterwards, because we show none.
    socket.on("error", () => {});
    try {
      await once(socket, "secureConnect");
      return socket.getPeerCertificate().serialNumber.toLowerCase();
    } finally {
      socket.destroy();
    }
  }

  async #start(name: string, listeners: object[], clusters: object[]): Promise<void> {
    const bootstrap = parse(await this.world.block(page, "yaml", 0));
    bootstrap.static_resources.listeners = listeners;
    bootstrap.static_resources.clusters.push(...clusters);
    const path = this.world.dir.join(`${name}.json`);
    await writeFile(path, JSON.stringify(bootstrap));
    const args = ["-c", path, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"];
    await this.world.start(name, this.#envoy, args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await this.world[Symbol.asyncDispose]();
  }
}

function cluster(name: string, port: number): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
  return { name, type: "STATIC", load_assignment: { cluster_name: name, endpoints } };
}

function plainListener(port: number, to: string): object {
  const manager = {
    "@type": `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "client",
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: to } }],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${types}.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  return {
    name: "client",
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [
      {
        filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
      },
    ],
  };
}
