import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { StatusDetail, StatusError } from "../errors/status-error.ts";

/** The metadata key under which gRPC carries the details of a status, as an encoded google.rpc.Status. */
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";

const ERROR_INFO_TYPE = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO_TYPE = "type.googleapis.com/google.rpc.RetryInfo";

/** The domain under which our reason codes are known (google.rpc.ErrorInfo.domain). */
export const ERROR_DOMAIN = "assay";

/**
 * A google.rpc.RetryInfo: when the caller may ask again. Goes with RESOURCE_EXHAUSTED and UNAVAILABLE.
 *
 * @param delayMs milliseconds from now
 */
export function retryInfo(delayMs: number): StatusDetail {
  const wholeMs = Math.max(0, Math.ceil(delayMs));
  const duration = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int64(BigInt(Math.floor(wholeMs / 1000)))
    .tag(2, WireType.Varint)
    .int32((wholeMs % 1000) * 1_000_000)
    .finish();
  const value = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(duration).finish();
  return { typeUrl: RETRY_INFO_TYPE, value };
}

/** Milliseconds after which the other side allows another attempt, if the error says so. */
export function retryDelayMs(err: StatusError): number | undefined {
  const detail = err.details.find(({ typeUrl }) => typeUrl === RETRY_INFO_TYPE);
  if (detail === undefined) return undefined;
  const duration = readFields(detail.value).get(1)?.[0];
  if (!(duration instanceof Uint8Array)) return undefined;
  const fields = readFields(duration);
  return Number(fields.get(1)?.[0] ?? 0) * 1000 + Number(fields.get(2)?.[0] ?? 0) / 1_000_000;
}

/** Encodes a google.rpc.Status {code = 1, message = 2, details = 3}; the reason goes in as a google.rpc.ErrorInfo. */
export function encodeStatus(err: StatusError): Uint8Array {
  const writer = new BinaryWriter();
  if (err.code !== 0) writer.tag(1, WireType.Varint).int32(err.code);
  if (err.message !== "") writer.tag(2, WireType.LengthDelimited).string(err.message);
  const details =
    err.reason === undefined ? err.details : [...err.details, encodeErrorInfo(err.reason)];
  for (const { typeUrl, value } of details) {
    const any = new BinaryWriter().tag(1, WireType.LengthDelimited).string(typeUrl);
    if (value.length > 0) any.tag(2, WireType.LengthDelimited).bytes(value);
    writer.tag(3, WireType.LengthDelimited).bytes(any.finish());
  }
  return writer.finish();
}

/**
 * Reads the details and our reason code from an encoded google.rpc.Status. What cannot be read is left out: the code and the
 * message of the status came on another way and hold without it.
 */
export function decodeStatusDetails(bytes: Uint8Array): {
  details: readonly StatusDetail[];
  reason?: string;
} {
  try {
    const details = (readFields(bytes).get(3) ?? []).map(decodeAny);
    const isOurs = (detail: StatusDetail): boolean => decodeErrorInfo(detail) !== undefined;
    const info = details.find(isOurs);
    const reason = info === undefined ? undefined : decodeErrorInfo(info);
    const rest = details.filter((detail) => !isOurs(detail));
    return reason === undefined ? { details: rest } : { details: rest, reason };
  } catch {
    return { details: [] };
  }
}

function encodeErrorInfo(reason: string): StatusDetail {
  const value = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(reason)
    .tag(2, WireType.LengthDelimited)
    .string(ERROR_DOMAIN)
    .finish();
  return { typeUrl: ERROR_INFO_TYPE, value };
}

function decodeErrorInfo(detail: StatusDetail): string | undefined {
  if (detail.typeUrl !== ERROR_INFO_TYPE) return undefined;
  const fields = readFields(detail.value);
  return text(fields.get(2)?.[0]) === ERROR_DOMAIN ? text(fields.get(1)?.[0]) : undefined;
}

function decodeAny(field: FieldValue): StatusDetail {
  const fields = field instanceof Uint8Array ? readFields(field) : new Map<number, FieldValue[]>();
  const value = fields.get(2)?.[0];
  return {
    typeUrl: text(fields.get(1)?.[0]) ?? "",
    value: value instanceof Uint8Array ? value : new Uint8Array(),
  };
}

/** What the wire says about a field without knowing its type. */
type FieldValue = Uint8Array | bigint;

function readFields(bytes: Uint8Array): Map<number, FieldValue[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, FieldValue[]>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited || wireType === WireType.Varint) {
      const value = wireType === WireType.Varint ? BigInt(reader.int64()) : reader.bytes();
      fields.set(number, [...(fields.get(number) ?? []), value]);
    } else {
      reader.skip(wireType, number);
    }
  }
  return fields;
}

function text(value: FieldValue | undefined): string | undefined {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
}
