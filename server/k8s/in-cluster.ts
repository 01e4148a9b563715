import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { type Access, bearer, serverUrl } from "./access.ts";

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Access from a pod with its own service account. The files are read for each request, because the kubelet replaces the token.
 *
 * @param env the process's environment, in which the kubelet has put the address of the API server
 * @throws {Error} outside of a pod
 */
export function inClusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  directory: string = SERVICE_ACCOUNT,
): Access {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === undefined) throw new Error("not in a pod: KUBERNETES_SERVICE_HOST is not set");
  return {
    server: serverUrl(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    credentials: async () => {
      const [ca, token] = await Promise.all([
        readFile(`${directory}/ca.crt`, "utf8"),
        readFile(`${directory}/token`, "utf8"),
      ]);
      return { tls: { ca }, headers: bearer(token) };
    },
  };
}
