/**
 * Checks the issuer of an OIDC provider (OpenID Connect Discovery 3): an https URL without query, fragment, user and slash at its
 * end, since what is served under it is found by appending a path, and clouds compare it as a text.
 *
 * @returns what is wrong with it; undefined if nothing
 */
export function issuerProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url?.protocol !== "https:") return "expected an https URL";
  if (url.username !== "" || url.password !== "") return "expected no user";
  if (text.includes("?") || text.includes("#")) return "expected no query and no fragment";
  if (text.endsWith("/")) return "expected no slash at its end";
  const written = url.pathname === "/" ? url.origin : `${url.origin}${url.pathname}`;
  return written === text ? undefined : `expected ${JSON.stringify(written)}`;
}
