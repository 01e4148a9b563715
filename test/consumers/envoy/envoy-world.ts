// Two Envoys as the page on Envoy sets them up: one in front of a service, one that calls it, with mutual TLS between them.

import { once } from "node:events";
import { constants, copyFile, glob, realpath, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectPlain } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { Pool } from "undici";
import { parse } from "yaml";
import { LocalAuthority } from "../../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { FilesWorld } from "../../support/files-world.ts";
import { ensureEnvoy } from "../../support/foreign-builds.ts";
import { type Machine, trustDomain } from "../../support/machine.ts";
import { Gate } from "./gate.ts";

/** Which page, the first of its blocks that Envoy takes (bootstrap, listener and cluster follow one another), and the listener's port. */
export interface EnvoyPage {
  readonly page: string;
  readonly first: number;
  readonly port: string;
}

const envoyPage: EnvoyPage = { page: "envoy.md", first: 0, port: "8443" };
const types = "type.googleapis.com/envoy";

/** Connections between the Envoys are made anew after this many requests, so that each rotation is met by handshakes. */
const requestsPerConnection = 20;

export class EnvoyWorld implements AsyncDisposable {
  readonly world: FilesWorld;
  readonly #stack: AsyncDisposableStack;
  readonly #page: EnvoyPage;
  readonly #envoy: string;
  readonly #programs = new Map<string, string>();
  #service: object = {};
  #serverPort = 0;

  private constructor(
    world: FilesWorld,
    page: EnvoyPage,
    envoy: string,
    stack: AsyncDisposableStack,
  ) {
    this.world = world;
    this.#page = page;
    this.#envoy = envoy;
    this.#stack = stack;
  }

  /** @param running a machine of the caller's, in place of one that ends with this world */
  static async open(page: EnvoyPage = envoyPage, running?: Machine): Promise<EnvoyWorld> {
    const envoy = await ensureEnvoy();
    await using stack = new AsyncDisposableStack();
    const service = createServer((_, response) => response.end("hello"));
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    stack.defer(() => {
      service.closeAllConnections();
      service.close();
    });
    const world = stack.use(await FilesWorld.open(running));
    world.places.set("example.org", trustDomain);
    world.places.set("/run/assay/agent/api.sock", world.machine.local.layout.workloadSocket);
    const opened = new EnvoyWorld(world, page, envoy, stack.move());
    opened.#service = cluster("service", (service.address() as AddressInfo).port);
    return opened;
  }

  /** Gives the Envoy of this name a program of its own, and that program an identity that no other process has. */
  async grantOwn(name: string, path: string): Promise<void> {
    const program = this.world.dir.join(`envoy-${name}`);
    // What is installed is a script that becomes this program.
    const found = await Array.fromAsync(
      glob("lib/python*/site-packages/envoy/_bin/envoy", { cwd: join(this.#envoy, "../..") }),
    );
    const [original = ""] = found;
    await copyFile(join(this.#envoy, "../..", original), program, constants.COPYFILE_FICLONE);
    this.#programs.set(name, program);
    await this.world.grantTo(`unix:path:${await realpath(program)}`, path);
  }

  /** Starts the Envoy in front of the service. */
  async startServer(): Promise<void> {
    this.#serverPort = Number(await this.world.port(this.#page.port));
    const listener = parse(await this.#block(1));
    await this.#start("server", [listener], [this.#service]);
  }

  /** Starts one more in front of the service, which verifies callers in another way. @param node what its node has more */
  async startGate(name: string, validation: object, node: object = {}): Promise<Gate> {
    const port = Number(await this.world.port(this.#page.port));
    const listener = parse(await this.#block(1));
    const tls = listener.filter_chains[0].transport_socket.typed_config.common_tls_context;
    delete tls.combined_validation_context;
    Object.assign(tls, validation);
    const adminSocket = this.world.dir.join(`${name}.sock`);
    const admin = { address: { pipe: { path: adminSocket } } };
    await this.#start(name, [listener], [this.#service], { node, admin });
    return new Gate(port, adminSocket);
  }

  /** Starts one that calls it, and returns who asks that one over plain HTTP. @param changes what it has instead in the paths of IDs */
  async startClient(name: string, changes: Readonly<Record<string, string>> = {}): Promise<Pool> {
    const port = await this.world.port(`port of ${name}`);
    const upstream = Object.entries(changes).reduce(
      (done, [from, to]) => done.replace(`${trustDomain}${from}`, `${trustDomain}${to}`),
      await this.#block(2),
    );
    const web = parse(upstream);
    const key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    web.typed_extension_protocol_options = {
      [key]: {
        explicit_http_config: { http_protocol_options: {} },
        ...web.typed_extension_protocol_options?.[key],
        "@type": `${types}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        common_http_protocol_options: { max_requests_per_connection: requestsPerConnection },
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

  /** Speaks to the server's Envoy without TLS, and returns what comes back. */
  async plaintext(): Promise<string> {
    const socket = connectPlain(this.#serverPort, "127.0.0.1");
    const received: Buffer[] = [];
    // A reset is one way to be refused.
    socket.on("data", (chunk: Buffer) => received.push(chunk)).on("error", () => {});
    socket.setTimeout(10_000, () => socket.destroy());
    socket.write("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
    await new Promise((done) => void socket.once("close", done));
    return Buffer.concat(received).toString("latin1");
  }

  #block(index: number): Promise<string> {
    return this.world.block(this.#page.page, "yaml", this.#page.first + index);
  }

  async #start(
    name: string,
    listeners: object[],
    clusters: object[],
    { node = {}, ...more }: { readonly node?: object; readonly admin?: object } = {},
  ): Promise<void> {
    const bootstrap = { ...parse(await this.#block(0)), ...more };
    Object.assign(bootstrap.node, node);
    bootstrap.static_resources.listeners = listeners;
    bootstrap.static_resources.clusters.push(...clusters);
    const path = this.world.dir.join(`${name}.json`);
    await writeFile(path, JSON.stringify(bootstrap));
    const args = ["-c", path, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"];
    await this.world.start(name, this.#programs.get(name) ?? this.#envoy, args);
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
