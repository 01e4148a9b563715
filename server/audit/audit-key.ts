import { createPublicKey, hash, type KeyObject } from "node:crypto";
import {
  type Checkpoint,
  type CheckpointFacts,
  checkpointBytes,
} from "../../runtime/journal/checkpoint.ts";
import type { KeyHandle, KeyManager } from "../keymanager/key-manager.ts";

/** The key manager's name for the key that signs checkpoints. It signs nothing else, and no authority key signs checkpoints. */
const KEY_REF = "audit";

/** Signs how far the audit log reaches. */
export class AuditKey {
  readonly id: string;
  readonly #handle: KeyHandle;

  private constructor(handle: KeyHandle) {
    this.#handle = handle;
    this.id = auditKeyId(handle.publicKey);
  }

  /** Finds the key, or makes it at the first start. */
  static async open(keys: KeyManager): Promise<AuditKey> {
    return new AuditKey(keys.find(KEY_REF) ?? (await keys.generate(KEY_REF, "ec-p256")));
  }

  get publicKey(): KeyObject {
    return this.#handle.publicKey;
  }

  async sign(facts: CheckpointFacts): Promise<Checkpoint> {
    const signature = await this.#handle.sign(checkpointBytes(facts), "der");
    return { ...facts, keyId: this.id, signature };
  }
}

/** The name of an audit key in checkpoints: the first half of the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. */
export function auditKeyId(publicKey: KeyObject): string {
  return hash("sha256", spki(publicKey), "hex").slice(0, 32);
}

/** The public key as records carry it. */
export function encodeAuditKey(publicKey: KeyObject): string {
  return spki(publicKey).toString("base64");
}

/** The reverse of {@link encodeAuditKey}; undefined if it is no key. */
export function decodeAuditKey(text: unknown): KeyObject | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const key = Buffer.from(text, "base64");
    return createPublicKey({ key, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function spki(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: "der", type: "spki" });
}
