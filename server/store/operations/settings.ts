import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import type { ReadOperation, WriteOperation } from "./context.ts";
import { REVOCATION_EPOCH_SETTING } from "./store-state.ts";

export const getSetting: ReadOperation<"getSetting"> = async (db, { key }) => {
  const row = await db
    .selectFrom("settings")
    .select("value")
    .where("key", "=", key)
    .executeTakeFirst();
  return row?.value;
};

/** Sets or removes a value. Writing what is there already changes nothing. */
export const putSetting: WriteOperation<"putSetting"> = async ({ db, record }, { key, value }) => {
  if (key === REVOCATION_EPOCH_SETTING) throw invalidArgument(`setting ${key} is not to be set`);
  const current = await getSetting(db, { key });
  if (current === value) return undefined;
  if (value === undefined) {
    await db.deleteFrom("settings").where("key", "=", key).execute();
  } else {
    await db
      .insertInto("settings")
      .values({ key, value })
      .onConflict((conflict) => conflict.column("key").doUpdateSet({ value }))
      .execute();
  }
  record({
    kind: "setting",
    id: key,
    action: value === undefined ? "delete" : current === undefined ? "create" : "update",
    ...(current !== undefined && { before: { key, value: current } }),
    ...(value !== undefined && { after: { key, value } }),
  });
  return undefined;
};
