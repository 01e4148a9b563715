import { parsePublicKeyAlgorithm } from "../../spiffe/x509/public-key.ts";
import { type JwsAlgorithm, type KeyType, schemeOf } from "../keymanager/key-type.ts";
import type { AuthorityKind, AuthorityRecord } from "../store/records.ts";

/** Authorities that follow one another: those of one kind, and of JWT authorities those of one algorithm. */
export interface AuthorityLane {
  readonly kind: AuthorityKind;
  /** Of JWT authorities only. */
  readonly algorithm?: JwsAlgorithm;
  /** What the next authority is to be like; undefined where there is to be none. */
  readonly keyType?: KeyType;
}

/** The types of keys that authorities are to have. Of JWT authorities the first is the default. */
export interface AuthorityKeyTypes {
  readonly x509?: KeyType;
  /** No two of the same algorithm. */
  readonly jwt?: readonly KeyType[];
  readonly wit?: KeyType;
}

const KINDS: readonly AuthorityKind[] = ["x509", "jwt", "wit"];

/** The lanes that are wanted; of JWT authorities the default one first. */
export function wantedLanes({ x509, jwt = [], wit }: AuthorityKeyTypes): readonly AuthorityLane[] {
  return [
    ...(x509 === undefined ? [] : [{ kind: "x509", keyType: x509 } as const]),
    ...jwt.map((keyType) => ({ kind: "jwt", algorithm: schemeOf(keyType).jws, keyType }) as const),
    ...(wit === undefined ? [] : [{ kind: "wit", keyType: wit } as const]),
  ];
}

/** The lanes that are wanted, and those that were once, of which authorities are left. */
export function allLanes(
  wanted: readonly AuthorityLane[],
  records: readonly AuthorityRecord[],
): readonly AuthorityLane[] {
  const left = records.map(laneOf).filter((lane) => !wanted.some((one) => isSameLane(one, lane)));
  const once = left.filter((lane, at) => left.findIndex((one) => isSameLane(one, lane)) === at);
  const lanes = [...wanted, ...once];
  return KINDS.flatMap((kind) => lanes.filter((lane) => lane.kind === kind));
}

/** The lane of an authority. */
export function laneOf({ kind, publicKeyDer }: AuthorityRecord): AuthorityLane {
  return kind === "jwt" ? { kind, algorithm: algorithmOf(publicKeyDer) } : { kind };
}

/** Whether two lanes are the same, whatever their next authority is to be like. */
export function isSameLane(a: AuthorityLane, b: AuthorityLane): boolean {
  return a.kind === b.kind && a.algorithm === b.algorithm;
}

/** A lane as a text, for maps and for people: "x509", "jwt RS256". */
export function laneName({ kind, algorithm }: AuthorityLane): string {
  return algorithm === undefined ? kind : `${kind} ${algorithm}`;
}

function algorithmOf(publicKeyDer: Uint8Array): JwsAlgorithm {
  const key = parsePublicKeyAlgorithm(publicKeyDer);
  if (key.type === "rsa") return "RS256";
  return key.type === "ec" && key.curve === "P-384" ? "ES384" : "ES256";
}
