import type { KeyObject } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import type { KeyType } from "../keymanager/key-type.ts";
import { signLocally } from "../keymanager/local-key.ts";
import {
  type Done,
  Pack,
  type SignedJob,
  type ToWorker,
  type Work,
  type WorkerResult,
} from "./signing-messages.ts";
import { type PreparedSvid, prepareSvid } from "./svid-preparation.ts";
import { assembleCertificate, type IssuerParts, SvidTemplate } from "./svid-template.ts";

// A signing thread. It reads requests, checks their signatures, builds and checks certificates, and signs them with keys that it was
// lent. What it keeps between messages are prepared certificates that wait for their intents, and nothing of the requests.

interface Authority {
  readonly issuer: IssuerParts;
  readonly template: SvidTemplate;
  readonly key?: { readonly type: KeyType; readonly privateKey: KeyObject };
}

interface Prepared {
  readonly authority: Authority;
  readonly items: readonly PreparedSvid[];
}

const port = parentPort;
if (port === null) throw new Error("this module runs in a worker thread");
const knownBad: ReadonlySet<string> = new Set<string>(workerData.knownBadKeys);

const keys = new Map<string, NonNullable<Authority["key"]>>();
const authorities = new Map<string, Authority>();
const jobs = new Map<number, Prepared>();

port.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "key":
      keys.set(message.id, { type: message.type, privateKey: message.privateKey });
      return;
    case "authority": {
      const { id, keyId, issuer } = message;
      const key = keyId === undefined ? undefined : keys.get(keyId);
      const template = new SvidTemplate(issuer);
      authorities.set(id, { issuer, template, ...(key === undefined ? {} : { key }) });
      if (keyId !== undefined) keys.delete(keyId);
      return;
    }
    case "forget":
      authorities.delete(message.id);
      return;
    case "work":
      answer(work(message));
  }
});

function work({ prepare, sign, drop }: Work): readonly SignedJob[] {
  for (const { job, authorityId, items } of prepare) {
    const authority = authorities.get(authorityId);
    if (authority === undefined) throw new Error(`authority ${authorityId} is not known here`);
    const { template, issuer } = authority;
    const prepared = items.map((item) => prepareSvid(item, template, issuer, knownBad));
    jobs.set(job, { authority, items: prepared });
  }
  for (const job of drop) jobs.delete(job);
  return sign.map((job) => {
    const prepared = jobs.get(job);
    jobs.delete(job);
    if (prepared === undefined) throw new Error(`job ${job} was not prepared`);
    return { job, items: prepared.items.map((item) => signOne(prepared.authority, item)) };
  });
}

function signOne({ issuer, key }: Authority, item: PreparedSvid): WorkerResult {
  if (!("tbsDer" in item) || key === undefined) return item;
  const signature = signLocally(key.privateKey, key.type, item.tbsDer, "der");
  const { signatureAlgorithmDer } = issuer;
  return { certificateDer: assembleCertificate(item.tbsDer, signatureAlgorithmDer, signature) };
}

function answer(signed: readonly SignedJob[]): void {
  const pack = new Pack(signed.reduce((sum, { items }) => sum + items.reduce(addLength, 0), 0));
  const done: Done = {
    signed: signed.map(({ job, items }) => ({ job, items: items.map((item) => move(item, pack)) })),
  };
  port?.postMessage(done, [pack.buffer]);
}

function addLength(sum: number, item: WorkerResult): number {
  if ("certificateDer" in item) return sum + item.certificateDer.length;
  return "tbsDer" in item ? sum + item.tbsDer.length : sum;
}

function move(item: WorkerResult, pack: Pack): WorkerResult {
  if ("certificateDer" in item) return { certificateDer: pack.add(item.certificateDer) };
  return "tbsDer" in item ? { tbsDer: pack.add(item.tbsDer) } : item;
}
