import * as z from "zod";
import { rateSchema } from "../../runtime/config/rate.ts";
import type { Rate } from "../../runtime/time/token-buckets.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type SocketSettings, socketSchema } from "./serving-settings.ts";

/** Who may take identities of this node's workloads over the Delegated Identity API. */
export interface DelegationSettings {
  /** SPIFFE IDs; without any the API is not served. */
  readonly delegates: readonly string[];
  readonly maxStreams: number;
  readonly rate: Rate;
}

/** Who may take identities of this node's workloads over the SPIFFE Broker API. */
export interface BrokerSettings {
  /** SPIFFE IDs; without any the API is not served. */
  readonly brokers: readonly string[];
  readonly socket: SocketSettings;
  readonly maxStreams: number;
  readonly rate: Rate;
}

const spiffeId = z.string().superRefine((text, context) => {
  try {
    const { path } = SpiffeId.parse(text);
    if (path === "") context.addIssue("expected a SPIFFE ID with a path");
  } catch (err) {
    context.addIssue(err instanceof Error ? err.message : "invalid");
  }
});

const maxStreams = z
  .int()
  .min(1)
  .default(1024)
  .describe("Open streams of one of them, that is mostly one for each workload.");

const rate = rateSchema(
  { perSecond: 500, burst: 2000 },
  {
    perSecond: "Calls a second that it may make on average; a stream counts once.",
    burst: "Calls that it may make at once after a pause.",
    whole: "How often one of them may call. Others are not affected by it.",
  },
);

/** See {@link DelegationSettings}. */
export const delegationSchema: z.ZodPrefault<z.ZodType<DelegationSettings>> = z
  .strictObject({
    delegates: z
      .array(spiffeId)
      .default([])
      .describe(
        "SPIFFE IDs of those who may call. A caller is attested, and must hold one of them. Others than root also have to be let in by adminSocket.mode.",
      ),
    maxStreams,
    rate,
  })
  .prefault({})
  .describe(
    "SPIRE's Delegated Identity API on the admin socket: identities of any workload of this node for those who act for it.",
  );

/** See {@link BrokerSettings}. */
export const brokerSchema: z.ZodPrefault<z.ZodType<BrokerSettings>> = z
  .strictObject({
    brokers: z
      .array(spiffeId)
      .default([])
      .describe("SPIFFE IDs of those who may call, as their X509-SVIDs say."),
    socket: socketSchema("/run/assay/broker/broker.sock", 0o660).describe(
      "Where brokers connect, with mutual TLS (SPIFFE_BROKER_SOCKET).",
    ),
    maxStreams,
    rate,
  })
  .prefault({})
  .describe(
    "The SPIFFE Broker API (incubating): identities of a process of this node for those who act for it.",
  );
