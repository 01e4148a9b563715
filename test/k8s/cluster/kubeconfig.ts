import { stringify } from "yaml";
import type { PemCertificate } from "./certificates.ts";

/** A kubeconfig with everything in it. @param server URL of the API server */
export function kubeconfig(server: string, authority: string, identity: PemCertificate): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "cluster",
    clusters: [
      { name: "cluster", cluster: { server, "certificate-authority-data": base64(authority) } },
    ],
    users: [
      {
        name: "user",
        user: {
          "client-certificate-data": base64(identity.certificate),
          "client-key-data": base64(identity.privateKey),
        },
      },
    ],
    contexts: [{ name: "cluster", context: { cluster: "cluster", user: "user" } }],
  });
}
