import type { Selector } from "../../../proto/selector.ts";
import type { AttestedNodeRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";
import { K8S_PSAT } from "./selectors.ts";

const PAGE_SIZE = 1000;

/** An agent that was attested in a cluster, and the node that it proved to be on. */
export interface NodeAgent {
  readonly id: string;
  readonly nodeName: string;
  readonly nodeUid: string;
}

/** The agents on record for a cluster, or for one of its nodes. */
export async function agentsOf(
  store: Pick<Store, "read">,
  cluster: string,
  nodeUid?: string,
): Promise<readonly NodeAgent[]> {
  const selectors = [selector("cluster", cluster)];
  if (nodeUid !== undefined) selectors.push(selector("agent_node_uid", nodeUid));
  const filter = {
    byAttestationType: K8S_PSAT,
    bySelectors: { match: "superset", selectors },
  } as const;
  const found: NodeAgent[] = [];
  let pageToken: string | undefined;
  do {
    const page = { pageSize: PAGE_SIZE, ...(pageToken === undefined ? {} : { pageToken }) };
    const { items, nextPageToken } = await store.read("listNodes", { filter, page });
    for (const { node } of items) found.push(agentOf(node));
    pageToken = nextPageToken;
  } while (pageToken !== undefined);
  return found;
}

function selector(kind: string, value: string): Selector {
  return { type: K8S_PSAT, value: `${kind}:${value}` };
}

function agentOf({ id, selectors }: AttestedNodeRecord): NodeAgent {
  const fact = (kind: string): string => {
    const prefix = `${kind}:`;
    const found = selectors.find(
      ({ type, value }) => type === K8S_PSAT && value.startsWith(prefix),
    );
    return found?.value.slice(prefix.length) ?? "";
  };
  return { id, nodeName: fact("agent_node_name"), nodeUid: fact("agent_node_uid") };
}
