import { ALL_GRANTS, type Grants, grantsOf, NO_GRANTS } from "./roles.ts";
import type { ServerConfig } from "./server-config.ts";

/** The server's own user: it and root administer where the configuration does not say who else does. */
const ROOT = 0;

/** The configuration as it holds at this moment: a reload replaces it. Whoever needs a setting asks for it when it is needed. */
export class SettingsInForce {
  readonly #ownUid: number;
  #config: ServerConfig;
  #byUid: ReadonlyMap<number, Grants>;
  #byId: ReadonlyMap<string, Grants>;

  /** @param ownUid the user that the server runs as */
  constructor(config: ServerConfig, ownUid: number) {
    this.#ownUid = ownUid;
    this.#config = config;
    this.#byUid = usersOf(config, ownUid);
    this.#byId = operatorsOf(config);
  }

  get config(): ServerConfig {
    return this.#config;
  }

  /** What a user may do on the admin socket; undefined for users that may not even connect. */
  grantsOfUser(uid: number): Grants | undefined {
    return this.#byUid.get(uid);
  }

  /** What an identity may do over the network. */
  grantsOfId(spiffeId: string): Grants {
    return this.#byId.get(spiffeId) ?? NO_GRANTS;
  }

  replace(config: ServerConfig): void {
    this.#config = config;
    this.#byUid = usersOf(config, this.#ownUid);
    this.#byId = operatorsOf(config);
  }
}

function usersOf({ adminSocket }: ServerConfig, ownUid: number): ReadonlyMap<number, Grants> {
  if (adminSocket.users === undefined) {
    return new Map([ROOT, ownUid].map((uid) => [uid, ALL_GRANTS]));
  }
  return new Map(adminSocket.users.map((user) => [user.uid, grantsOf(user)]));
}

function operatorsOf({ operators }: ServerConfig): ReadonlyMap<string, Grants> {
  return new Map(operators.map((operator) => [operator.id, grantsOf(operator)]));
}
