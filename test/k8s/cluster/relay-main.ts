// Carries connections to a Unix socket over to a TCP address. It runs on a machine of the cluster, whose network we cannot
// reach, and its socket lies in a folder that both see. Arguments: path of the socket, host, port.

import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";

const [path, host, port] = process.argv.slice(2);

createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ host: host ?? "", port: Number(port), allowHalfOpen: true });
  // An error ends both sides, and whoever connected sees that.
  pipeline(near, far, () => {});
  pipeline(far, near, () => {});
}).listen(path);
