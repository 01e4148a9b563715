/**
 * The words of logs, audit records and metric labels, and what each means: one vocabulary, so that the same thing can be found
 * by the same name everywhere. All in snake_case; instants are RFC 3339 in UTC, durations carry their unit.
 */
export const FIELDS = {
  // who and where
  component: "part of the program that speaks",
  trust_domain: "trust domain name",
  spiffe_id: "SPIFFE ID that the line is about",
  agent_id: "SPIFFE ID of an agent",
  parent_id: "SPIFFE ID of the agent or node that an entry hangs on",
  node_id: "SPIFFE ID of a node",
  server: "address or name of a server",
  endpoint: "what we listen on",
  socket_path: "path of a Unix socket",
  path: "path of a file",
  // who calls
  caller_id: "SPIFFE ID of the caller",
  caller_addr: "network address of the caller",
  caller_uid: "user ID of a local caller",
  caller_gid: "group ID of a local caller",
  caller_pid: "process ID of a local caller",
  caller_path: "executable of a local caller",
  proxy: "what a proxy calls itself in its node",
  connection_id: "connection that a call came on",
  // calls
  request_id: "call; shown to the caller with internal errors",
  rpc_service: "gRPC service",
  rpc_method: "gRPC method, /package.Service/Method",
  status_code: "gRPC status by name",
  reason: "why, as a stable code",
  duration_ms: "how long it took",
  // what is issued
  entry_id: "registration entry",
  selectors: "selectors of a workload or node",
  attestor: "attestor by name",
  authority_id: "authority, by the ID of its key",
  serial_number: "serial number of a certificate, hexadecimal",
  jti: "ID of a JWT-SVID",
  key_id: "key, never the key itself",
  key_type: "kind of key",
  audience: "audiences of a JWT-SVID",
  expires_at: "end of life",
  ttl_seconds: "length of life",
  instance: "instance of a workload that a credential belongs to",
  // clusters
  cluster: "Kubernetes cluster by name",
  resource: "kind of Kubernetes objects, as in paths of the API",
  object: "Kubernetes object, namespace/name",
  // order of things
  revision: "revision of the store",
  incarnation: "incarnation of the store",
  epoch: "revocation epoch",
  sequence: "sequence number of a bundle or of an audit record",
  segment: "file of the audit log",
  // trouble
  err: "error with its causes",
  attempt: "number of the attempt",
  retry_in_ms: "time until the next attempt",
  check: "health check by name",
  state: "state of a part",
  detail: "what is wrong",
  count: "how many",
  bytes: "how much",
  limit: "limit that was reached",
  signal: "signal that was received",
  version: "version of the program",
} as const;

/** A word of the vocabulary. */
export type Field = keyof typeof FIELDS;
