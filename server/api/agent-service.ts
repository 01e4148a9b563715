import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { decodeAgentVersion, encodeAgent } from "../../proto/convert/agent.ts";
import { decodePageSize, requireField } from "../../proto/convert/field.ts";
import { decodeMemberId } from "../../proto/convert/id.ts";
import { projectAgent } from "../../proto/convert/mask.ts";
import { encodeX509Svid } from "../../proto/convert/svid.ts";
import {
  Agent,
  type AttestAgentResponse,
  AttestAgentResponse_ResultSchema,
} from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import type { Agent as WireAgent } from "../../proto/gen/spire/api/types/agent_pb.ts";
import type { SPIFFEID } from "../../proto/gen/spire/api/types/spiffeid_pb.ts";
import type { X509SVID } from "../../proto/gen/spire/api/types/x509svid_pb.ts";
import { invalidArgument, notFound, type StatusError } from "../../runtime/errors/status-error.ts";
import type { Random } from "../../runtime/random.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { randomUuid } from "../../runtime/uuid.ts";
import { SpiffeId, type TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { IssuedX509Svid } from "../ca/issuance.ts";
import { OWN_FIELDS } from "../entries/entry-record.ts";
import { checkJoinToken, hashJoinToken, joinTokenAgentId } from "../node-attestation/join-token.ts";
import type { NewEntry } from "../store/contract/entries.ts";
import type { AttestedNodeRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { unixSeconds } from "../svid/agent-svid.ts";
import { type AttestAgentDeps, attestAgent } from "../svid/attest-agent.ts";
import { type RenewAgentDeps, renewAgent } from "../svid/renew-agent.ts";
import { decodeAgentFilter } from "./agent-filter.ts";
import { AttestationExchange } from "./attestation-exchange.ts";
import { agentOf, type Caller, nameOfCaller } from "./caller.ts";
import { issuanceCallOf } from "./issuance-call.ts";

/** What the service needs. */
export interface AgentServiceDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "read" | "write">;
  readonly attest: AttestAgentDeps;
  readonly renew: RenewAgentDeps;
  /** Keeps a connection open while its agent is superseded by what happens on it. */
  readonly keepOpen: (connectionId: string) => Disposable;
  readonly clock: Clock;
  readonly random: Random;
}

const PAGE = { defaultSize: 500, maxSize: 1000 };
const MAX_TOKEN_TTL_SECONDS = 30 * 86_400;

/** spire.api.server.agent.v1.Agent. */
export function agentService(deps: AgentServiceDeps): Registration<Caller> {
  const { store, trustDomain } = deps;
  return service(Agent, {
    countAgents: async ({ filter }) => {
      const count = await store.read("countNodes", { filter: decodeAgentFilter(filter) });
      return { count };
    },

    listAgents: async ({ filter, outputMask, pageSize, pageToken }) => {
      const page = await store.read("listNodes", {
        filter: decodeAgentFilter(filter),
        page: {
          pageSize: decodePageSize("page_size", pageSize, PAGE),
          ...(pageToken === "" ? {} : { pageToken }),
        },
      });
      const project = projectAgent(outputMask);
      return {
        agents: page.items.map(({ node }) => project(encodeNode(node))),
        nextPageToken: page.nextPageToken ?? "",
      };
    },

    getAgent: async ({ id, outputMask }) => {
      const found = await store.read("getNode", { id: decodeAgentId(trustDomain, id) });
      if (found === undefined) throw agentNotFound();
      return projectAgent(outputMask)(encodeNode(found.node));
    },

    deleteAgent: async ({ id }, ctx) => {
      const agentId = decodeAgentId(trustDomain, id);
      await store.write("deleteNode", { id: agentId });
      ctx.log.info({ agent_id: agentId }, "Evicted agent");
      return create(EmptySchema);
    },

    banAgent: async ({ id }, ctx) => {
      const agentId = decodeAgentId(trustDomain, id);
      await store.write("banNode", { id: agentId });
      ctx.log.info({ agent_id: agentId }, "Banned agent");
      return create(EmptySchema);
    },

    attestAgent: async function* (requests, ctx) {
      using _ = deps.keepOpen(ctx.connectionId);
      const exchange = new AttestationExchange(requests, deps.clock, ctx.signal);
      yield* exchange.answers(attest(deps, exchange, ctx));
    },

    renewAgent: async ({ params }, ctx) => {
      const { csr } = requireField("params", params);
      const agent = agentOf(ctx.caller);
      const svid = await renewAgent(deps.renew, agent, csr, issuanceCallOf(ctx));
      ctx.log.info({ agent_id: agent.id, expires_at: svid.notAfter }, "Renewed agent SVID");
      return { svid: encodeAgentSvid(svid) };
    },

    createJoinToken: async (request, ctx) => {
      if (request.ttl < 1 || request.ttl > MAX_TOKEN_TTL_SECONDS) {
        throw invalidArgument(`ttl: expected 1 to ${MAX_TOKEN_TTL_SECONDS} seconds`);
      }
      const token = request.token === "" ? randomUuid(deps.random) : request.token;
      checkJoinToken(token);
      const tokenHash = hashJoinToken(token);
      const now = unixNow(deps.clock);
      const expiresAt = now + request.ttl;
      const alias = decodeAlias(deps, request.agentId, token);
      const actor = nameOfCaller(ctx.caller);
      await store.write("createJoinToken", {
        tokenHash,
        expiresAt,
        now,
        actor,
        ...(alias === undefined ? {} : { alias }),
      });
      return { value: token, expiresAt: BigInt(expiresAt) };
    },

    postStatus: async ({ agentVersion }, ctx) => {
      const version = decodeAgentVersion("agent_version", agentVersion);
      const { id } = agentOf(ctx.caller);
      const found = await store.read("getNode", { id });
      // Most agents say the same each time; that is not worth a revision.
      if (found !== undefined && found.node.agentVersion !== version) {
        await store.write("setAgentVersion", { id, agentVersion: version });
      }
      return {};
    },
  });
}

async function attest(
  deps: AgentServiceDeps,
  exchange: AttestationExchange,
  ctx: CallContext<Caller>,
): Promise<AttestAgentResponse["step"]> {
  const { data, params } = await exchange.readParams();
  const { type, payload } = requireField("params.data", data);
  const { csr } = requireField("params.params", params);
  const { svid, canReattest } = await attestAgent(
    deps.attest,
    { type, payload, csrDer: csr, challenge: (challenge) => exchange.challenge(challenge) },
    { issuance: issuanceCallOf(ctx, "attesting"), log: ctx.log },
  );
  const value = create(AttestAgentResponse_ResultSchema, {
    svid: encodeAgentSvid(svid),
    reattestable: canReattest,
  });
  return { case: "result", value };
}

function encodeAgentSvid(svid: IssuedX509Svid): X509SVID {
  return encodeX509Svid({
    id: svid.spiffeId,
    certificateChainDer: svid.chainDer,
    expiresAt: svid.notAfter,
    hint: "",
  });
}

function encodeNode(node: AttestedNodeRecord): WireAgent {
  return encodeAgent({
    id: SpiffeId.parse(node.id),
    attestationType: node.attestationType,
    serialNumberHex: node.serial,
    expiresAt: node.expiresAt === 0 ? undefined : new Date(node.expiresAt * 1000),
    selectors: node.selectors,
    banned: node.banned,
    canReattest: node.canReattest,
    agentVersion: node.agentVersion,
  });
}

function decodeAgentId(trustDomain: TrustDomain, id: SPIFFEID | undefined): string {
  const agentId = decodeMemberId("id", id, trustDomain);
  if (!agentId.path.startsWith("/spire/agent/")) {
    throw invalidArgument("id.path: must be that of an agent, below /spire/agent", {
      reason: "field_invalid",
    });
  }
  return agentId.toString();
}

/** The second ID of the node that joins with the token: whatever has it for a parent is that node's too. */
function decodeAlias(
  { trustDomain, random }: AgentServiceDeps,
  agentId: SPIFFEID | undefined,
  token: string,
): NewEntry | undefined {
  if (agentId === undefined) return undefined;
  const id = decodeMemberId("agent_id", agentId, trustDomain);
  if (id.path === "/spire" || id.path.startsWith("/spire/")) {
    throw invalidArgument("agent_id.path: must not be below /spire", { reason: "reserved_id" });
  }
  const parentId = joinTokenAgentId(trustDomain, token).toString();
  return {
    id: randomUuid(random),
    spiffeId: id.toString(),
    parentId,
    // One that no workload has: the entry is a name for the node, and for nothing on it.
    selectors: [{ type: "spiffe_id", value: parentId }],
    x509SvidTtlSeconds: 0,
    jwtSvidTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    storeSvid: false,
    expiresAt: 0,
    dnsNames: [],
    hint: "",
    disableX509SvidPrefetch: false,
    jwtSvidIncludeJti: false,
    ...OWN_FIELDS,
  };
}

function agentNotFound(): StatusError {
  return notFound("agent not found", { reason: "agent_not_found" });
}

function unixNow(clock: Clock): number {
  return unixSeconds(clock.now());
}
