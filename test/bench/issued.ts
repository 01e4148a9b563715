/** Reads from a server's metrics how many credentials of a kind it has issued. */
export async function issuedBy(
  port: number,
  kind: "x509" | "jwt",
  signal: AbortSignal,
): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal });
  return countIssued(await answer.text(), kind);
}

/** The counter's value; none before the first one. */
export function countIssued(metrics: string, kind: "x509" | "jwt"): number {
  const line = new RegExp(
    `^assay_server_svids_total\\{kind="${kind}",outcome="issued"\\} (\\d+)`,
    "m",
  );
  return Number(line.exec(metrics)?.[1] ?? 0);
}
