/**
 * Server reflection (SPIFFE Workload Endpoint 7): tells tools like grpcurl which services this
 * endpoint has and how their messages look.
 */

import type { DescService, MessageInitShape } from "@bufbuild/protobuf";
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type {
  ServerReflectionRequest,
  ServerReflectionResponseSchema,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";

type Answer = MessageInitShape<typeof ServerReflectionResponseSchema>;

/** Answers reflection requests about a fixed set of services. */
export class Reflection {
  readonly #services: readonly string[];
  readonly #filesByName = new Map<string, DescFile>();
  readonly #filesBySymbol = new Map<string, DescFile>();

  constructor(services: readonly DescService[]) {
    this.#services = services.map((service) => service.typeName);
    for (const service of services) this.#addFile(service.file);
  }

  async *serverReflectionInfo(
    requests: AsyncIterable<ServerReflectionRequest>,
  ): AsyncIterable<Answer> {
    for await (const request of requests) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: this.#answer(request),
      };
    }
  }

  #answer({ messageRequest }: ServerReflectionRequest): NonNullable<Answer["messageResponse"]> {
    switch (messageRequest.case) {
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: this.#services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return describeFile(this.#filesByName.get(messageRequest.value));
      case "fileContainingSymbol":
        return describeFile(this.#filesBySymbol.get(messageRequest.value));
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
        return errorAnswer(Status.NOT_FOUND, "this endpoint has no extensions");
      case undefined:
        return errorAnswer(Status.INVALID_ARGUMENT, "the request asks for nothing");
    }
  }

  #addFile(file: DescFile): void {
    if (this.#filesByName.has(file.proto.name)) return;
    this.#filesByName.set(file.proto.name, file);
    for (const service of file.services) {
      this.#filesBySymbol.set(service.typeName, file);
      for (const method of service.methods) {
        this.#filesBySymbol.set(`${service.typeName}.${method.name}`, file);
      }
    }
    for (const message of file.messages) this.#filesBySymbol.set(message.typeName, file);
    for (const dependency of file.dependencies) this.#addFile(dependency);
  }
}

/** The file and all that it imports, so that one answer is enough to read its messages. */
function describeFile(file: DescFile | undefined): NonNullable<Answer["messageResponse"]> {
  if (!file) return errorAnswer(Status.NOT_FOUND, "no such file or symbol at this endpoint");
  const protos = new Map<string, FileDescriptorProto>();
  const collect = (each: DescFile): void => {
    if (protos.has(each.proto.name)) return;
    protos.set(each.proto.name, each.proto);
    each.dependencies.forEach(collect);
  };
  collect(file);
  const fileDescriptorProto = [...protos.values()].map((proto) =>
    toBinary(FileDescriptorProtoSchema, proto),
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function errorAnswer(
  errorCode: number,
  errorMessage: string,
): NonNullable<Answer["messageResponse"]> {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
