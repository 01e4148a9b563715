import { Channel, type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";

/** Where a channel leads and how. */
export interface ChannelTarget {
  /** "host:port", "unix:/path/to/socket", or any other name that gRPC resolves. */
  readonly target: string;
  /** Absent for a Unix socket, whose peers the kernel names. */
  readonly credentials?: ChannelCredentials;
  /** Largest response message in bytes; 4 MiB unless given. */
  readonly maxReceiveBytes?: number;
  /** Whatever else grpc-js knows; wins over what is set here. */
  readonly options?: ChannelOptions;
}

/**
 * Opens a channel. It connects at the first call, and again after a loss. Close it with `close()`. It takes no proxy from the
 * environment, no settings from DNS, and shares no connection with other channels: an identity that was replaced must not live
 * on in a pool.
 */
export function openChannel(o: ChannelTarget): Channel {
  return new Channel(o.target, o.credentials ?? credentials.createInsecure(), {
    "grpc.enable_channelz": 0,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": o.maxReceiveBytes ?? 4 * 1024 * 1024,
    ...o.options,
  });
}
