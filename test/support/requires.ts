import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, globSync } from "node:fs";
import { test } from "node:test";
import { helmCommand } from "./helm.ts";

/** Something that a test needs of the machine and that not every machine has. */
export type NeedName =
  | "linux"
  | "root"
  | "mount"
  | "git"
  | "go"
  | "python"
  | "cargo"
  | "openssl"
  | "curl"
  | "helm"
  | "unshare"
  | "busybox"
  | "ip"
  | "nft"
  | "seccomp"
  | "apt"
  | "nginx"
  | "haproxy"
  | "postgres"
  | "keytool";

interface Need {
  readonly present: () => boolean;
  /** How to get it, as the end of a sentence. */
  readonly remedy: string;
}

/** Where Debian and Ubuntu have the programs of the newest PostgreSQL that is installed. */
export const postgresFolder: string | undefined = globSync("/usr/lib/postgresql/*/bin")
  .filter((folder) => existsSync(`${folder}/postgres`))
  .sort()
  .at(-1);

const runs =
  (file: string, ...args: readonly string[]) =>
  (): boolean =>
    spawnSync(file, args, { stdio: "ignore" }).status === 0;

const needs: Record<NeedName, Need> = {
  linux: { present: () => process.platform === "linux", remedy: "run on Linux" },
  root: { present: () => process.getuid?.() === 0, remedy: "run as root" },
  mount: {
    present: runs("unshare", "--mount", "true"),
    remedy: "run as root, in a container with --privileged",
  },
  git: { present: runs("git", "--version"), remedy: "apt-get install git" },
  go: { present: runs("go", "version"), remedy: "install Go 1.24 or newer from https://go.dev/dl" },
  python: {
    present: runs("python3", "-c", "import venv, ensurepip"),
    remedy: "apt-get install python3-venv",
  },
  cargo: { present: runs("cargo", "--version"), remedy: "install Rust from https://rustup.rs" },
  openssl: { present: runs("openssl", "version"), remedy: "apt-get install openssl" },
  curl: { present: runs("curl", "--version"), remedy: "apt-get install curl" },
  helm: { present: runs(helmCommand, "version"), remedy: "install Helm 3 from https://helm.sh" },
  apt: {
    present: () => runs("apt-get", "--version")() && runs("dpkg-deb", "--version")(),
    remedy: "run on Debian or Ubuntu",
  },
  unshare: { present: runs("unshare", "--version"), remedy: "apt-get install util-linux" },
  busybox: { present: runs("/bin/busybox", "true"), remedy: "apt-get install busybox-static" },
  ip: { present: runs("ip", "-Version"), remedy: "apt-get install iproute2" },
  nft: { present: runs("nft", "--version"), remedy: "apt-get install nftables" },
  nginx: { present: runs("/usr/sbin/nginx", "-v"), remedy: "apt-get install nginx-light" },
  haproxy: { present: runs("/usr/sbin/haproxy", "-v"), remedy: "apt-get install haproxy" },
  postgres: {
    present: () => postgresFolder !== undefined,
    remedy: "apt-get install postgresql",
  },
  keytool: {
    present: runs("keytool", "-help"),
    remedy: "apt-get install default-jre-headless",
  },
  seccomp: {
    present: runs("pkg-config", "--exists", "libseccomp"),
    remedy: "apt-get install libseccomp-dev pkg-config gcc",
  },
};

/** One thing that was missing, as the runner reads it at the end. */
export interface Omission {
  readonly need: NeedName;
  readonly remedy: string;
  readonly file: string;
}

/**
 * Whether this machine has all that the following tests need: `if (requires("go")) test(...)`. What is missing goes into
 * the runner's closing lines, so an omission is never silent; with `CI=true` it is a failed test.
 */
export function requires(...names: readonly NeedName[]): boolean {
  const missing = names.filter((name) => !isPresent(name));
  for (const need of missing) report({ need, remedy: needs[need].remedy, file: callerFile() });
  return missing.length === 0;
}

function isPresent(name: NeedName): boolean {
  // Lets a run show what happens where something is missing.
  const hidden = (process.env["ASSAY_TEST_WITHOUT"] ?? "").split(",");
  return !hidden.includes(name) && needs[name].present();
}

function report(omission: Omission): void {
  const path = process.env["ASSAY_TEST_OMISSIONS"];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(omission)}\n`);
  else process.stderr.write(`left out: needs ${omission.need} (${omission.remedy})\n`);
  if (process.env["CI"] === "true") {
    test(`the machine has ${omission.need}`, () => {
      throw new Error(`missing ${omission.need}: ${omission.remedy}`);
    });
  }
}

function callerFile(): string {
  return process.argv[1] ?? "";
}
