interface NodeSqlite {
  readonly DatabaseSync: new (file: string) => { close(): void };
}

/** Whether this runtime has `node:sqlite` as the store wants it. */
export const hasNodeSqlite = ((): boolean => {
  const loaded = process.getBuiltinModule("node:sqlite") as NodeSqlite | undefined;
  if (!loaded) return false;
  const probe = new loaded.DatabaseSync(":memory:");
  probe.close();
  return "isTransaction" in probe;
})();
