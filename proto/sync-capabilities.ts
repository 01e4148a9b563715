// What an agent may say of itself in the hello of assay.sync.v1.

/** It keeps to the limits of a federation, so that it may have the bundles of limited ones. */
export const FEDERATION_LIMITS = "federation_limits";
/** It answers each heartbeat, and waits for the next one as long as the server says. */
export const HEARTBEAT_ANSWERS = "heartbeat_answers";
