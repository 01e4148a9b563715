import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { describeError } from "../../../runtime/errors/describe.ts";
import type { ReadFeed } from "../../../runtime/feed.ts";
import { replaceFile } from "../../../runtime/files/replace-file.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Random } from "../../../runtime/random.ts";
import { Backoff } from "../../../runtime/time/backoff.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { Bundle } from "../../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../../spiffe/bundle/bundle-document.ts";
import { formatCertificatesPem } from "../../../spiffe/x509/certificate-pem.ts";
import type {
  FilePublisherSettings,
  HttpPublisherSettings,
} from "../../config/publisher-settings.ts";

export interface DocumentPublisherDeps {
  readonly bundle: ReadFeed<Bundle>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A place that holds one document. */
interface Target {
  readonly place: string;
  publish(bundle: Bundle, signal: AbortSignal): Promise<void>;
}

const PUT_TIMEOUT_MS = 10_000;

/** Keeps a file up to date with the bundle. Resolves once `signal` aborts. */
export function runFilePublisher(
  deps: DocumentPublisherDeps,
  { path, format, mode }: FilePublisherSettings,
  signal: AbortSignal,
): Promise<void> {
  const publish = (bundle: Bundle): Promise<void> =>
    replaceFile(
      path,
      format === "pem"
        ? formatCertificatesPem(bundle.x509Authorities)
        : formatBundleDocument(bundle),
      { mode },
    );
  return run(deps, { place: path, publish }, signal);
}

/** Puts the bundle at a URL, for example of an object store, whenever it changes. Resolves once `signal` aborts. */
export function runHttpPublisher(
  deps: DocumentPublisherDeps,
  settings: HttpPublisherSettings,
  signal: AbortSignal,
): Promise<void> {
  const publish = (bundle: Bundle, stop: AbortSignal): Promise<void> =>
    put(settings, formatBundleDocument(bundle), stop);
  return run(deps, { place: settings.url, publish }, signal);
}

async function run(
  { bundle, clock, random, log }: DocumentPublisherDeps,
  { place, publish }: Target,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ baseMs: 500, maxMs: 60_000, random });
  for await (const latest of bundle.subscribe(signal)) {
    // Before the first authority is there, nobody could verify anything by it.
    if (latest.x509Authorities.length === 0) continue;
    while (!signal.aborted && bundle.value === latest) {
      try {
        await publish(latest, signal);
        log.debug({ place, sequence: String(latest.sequence ?? "") }, "Published trust bundle");
        backoff.reset();
        break;
      } catch (err) {
        if (signal.aborted) return;
        log.warn({ place, reason: describeError(err) }, "Trust bundle cannot be published");
        await clock.sleep(backoff.nextMs(), signal);
      }
    }
  }
}

async function put(
  { url, authorities, tokenFile }: HttpPublisherSettings,
  document: string,
  signal: AbortSignal,
): Promise<void> {
  const body = Buffer.from(document);
  const ca = authorities === undefined ? undefined : await readFile(authorities, "utf8");
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PUT_TIMEOUT_MS)]);
  const sending = request(url, {
    method: "PUT",
    agent: false,
    minVersion: "TLSv1.2",
    signal: limit,
    headers: {
      "content-type": "application/json",
      "content-length": body.length,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(ca === undefined ? {} : { ca }),
  });
  sending.end(body);
  const [response]: IncomingMessage[] = await once(sending, "response", { signal: limit });
  const { statusCode = 0 } = response ?? {};
  response?.destroy();
  if (statusCode < 200 || statusCode > 299) throw new Error(`answered with status ${statusCode}`);
}
