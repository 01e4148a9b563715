import type { X509Source } from "../../../spiffe/client.ts";
import type { Report } from "./messages.ts";

/** Tells the guide; nothing happens without one. */
export function report(message: Report): void {
  process.send?.(message);
}

/** Tells the guide about each identity that the source has, until the guide is gone. */
export async function reportIdentity(source: X509Source, signal: AbortSignal): Promise<void> {
  for await (const svid of source.current.subscribe(signal)) {
    const leaf = svid?.certificates[0];
    if (svid === undefined || leaf === undefined) report({ kind: "withdrawn" });
    else {
      report({
        kind: "identity",
        id: svid.id.toString(),
        serial: leaf.serialNumberHex,
        issuer: Buffer.from(leaf.authorityKeyId ?? []).toString("hex"),
      });
    }
  }
}

/** Aborts when the guide is gone. */
export function untilGuideLeaves(): AbortSignal {
  const controller = new AbortController();
  process.once("disconnect", () => controller.abort());
  return controller.signal;
}
