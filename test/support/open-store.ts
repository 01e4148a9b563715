import { SqliteStore } from "../../server/store/sqlite/sqlite-store.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { FakeRandom } from "../fakes/fake-random.ts";

/** Opens the store file at `path` as a server does, with a clock that stands still. */
export async function openSqliteStore(
  path: string,
  options: { readonly maxBytes?: number; readonly seed?: number } = {},
): Promise<SqliteStore> {
  const { seed = 1, ...rest } = options;
  return await SqliteStore.open({
    path,
    clock: new FakeClock(),
    random: new FakeRandom(seed),
    ...rest,
  });
}
