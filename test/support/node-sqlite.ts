/** Whether this runtime has `node:sqlite` as the store wants it. */
export const hasNodeSqlite = ((): boolean => {
  const loaded = process.getBuiltinModule("node:sqlite") as
    { readonly DatabaseSync: { readonly prototype: object } } | undefined;
  return loaded !== undefined && "isTransaction" in loaded.DatabaseSync.prototype;
})();
