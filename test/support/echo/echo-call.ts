import type { DescMethod } from "@bufbuild/protobuf";
import type { Call } from "../../../runtime/rpc/interceptor.ts";
import { RecordingLog } from "../../fakes/recording-log.ts";

/** A call as interceptors see it, without a connection behind it. */
export function echoCall(method: DescMethod): Call {
  return {
    method,
    ctx: {
      method: `/assay.test.echo.Echo/${method.name}`,
      caller: undefined,
      connectionId: "c1",
      requestId: "r1",
      signal: new AbortController().signal,
      metadata: new Map(),
      log: new RecordingLog().log,
      setTrailer: () => {},
    },
  };
}
