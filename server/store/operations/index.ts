import type { ReadOperations, WriteOperations } from "../contract/operations.ts";
import { changeAuthorities, listAuthorities, listAuthorityHolders } from "./authorities.ts";
import { deleteBundles } from "./bundles/delete-bundles.ts";
import { countBundles, getBundle, listBundles } from "./bundles/list-bundles.ts";
import { writeBundles } from "./bundles/write-bundles.ts";
import { changesSince, pruneChangeLog } from "./change-log.ts";
import { addCluster, listClusters, removeCluster } from "./clusters.ts";
import type { ReadOperation, WriteOperation } from "./context.ts";
import { createEntries } from "./entries/create-entries.ts";
import { deleteEntries, deleteExpiredEntries } from "./entries/delete-entries.ts";
import { recordEntryUse } from "./entries/entry-usage.ts";
import {
  entriesNearSelectors,
  getEntries,
  getEntry,
  nextEntryExpiry,
  recentlyExpiredEntries,
} from "./entries/find-entries.ts";
import { countEntries, listEntries } from "./entries/list-entries.ts";
import { scanEntries } from "./entries/scan-entries.ts";
import { updateEntries } from "./entries/update-entries.ts";
import {
  claimJoinToken,
  createJoinToken,
  finishJoinToken,
  getJoinToken,
  pruneJoinTokens,
} from "./join-tokens.ts";
import { activateNodeRenewal, recordAttestation, recordNodeRenewal } from "./nodes/attest-nodes.ts";
import {
  banNode,
  deleteNode,
  purgeNodes,
  recordNodesSeen,
  setAgentVersion,
} from "./nodes/end-nodes.ts";
import { countNodes, getNode, listNodes } from "./nodes/list-nodes.ts";
import { recordsSince } from "./records-since.ts";
import { countFederatingEntries } from "./relationships/count-entries.ts";
import {
  deleteRelationships,
  endRelationships,
  recordFetch,
} from "./relationships/end-relationships.ts";
import { listFetches, listRelationships } from "./relationships/list-relationships.ts";
import { writeRelationships } from "./relationships/write-relationships.ts";
import { getSetting, putSetting } from "./settings.ts";
import { raiseRevocationEpoch, storeState } from "./store-state.ts";

/** What runs each write operation. The same functions serve every database. */
export const writeOperations: { readonly [K in keyof WriteOperations]: WriteOperation<K> } = {
  activateNodeRenewal,
  addCluster,
  banNode,
  changeAuthorities,
  claimJoinToken,
  createEntries,
  createJoinToken,
  deleteBundles,
  deleteEntries,
  deleteExpiredEntries,
  deleteNode,
  deleteRelationships,
  endRelationships,
  finishJoinToken,
  pruneChangeLog,
  pruneJoinTokens,
  purgeNodes,
  putSetting,
  raiseRevocationEpoch,
  recordAttestation,
  recordEntryUse,
  recordFetch,
  recordNodeRenewal,
  recordNodesSeen,
  removeCluster,
  setAgentVersion,
  updateEntries,
  writeBundles,
  writeRelationships,
};

/** What runs each query. */
export const readOperations: { readonly [K in keyof ReadOperations]: ReadOperation<K> } = {
  changesSince,
  countBundles,
  countEntries,
  countFederatingEntries,
  countNodes,
  entriesNearSelectors,
  getBundle,
  getEntries,
  getEntry,
  getJoinToken,
  getNode,
  getSetting,
  listAuthorities,
  listAuthorityHolders,
  listBundles,
  listClusters,
  listEntries,
  listFetches,
  listNodes,
  listRelationships,
  nextEntryExpiry,
  recentlyExpiredEntries,
  recordsSince,
  scanEntries,
  storeState,
};
