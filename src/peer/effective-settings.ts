import { mergeSettings, type PeerSettings } from "./peer-settings.ts";
import type { PeerRecord, PeerStore } from "./peer-store.ts";

/** What a peer's own settings are, by the effective ones that were made of them. */
const ownSettings = new WeakMap<PeerSettings, PeerSettings>();

/** The settings that were made for this very peer, without the host's defaults. */
export const ownSettingsOf = ({ settings }: Pick<PeerRecord, "settings">): PeerSettings =>
  ownSettings.get(settings) ?? settings;

/**
 * The same store, but the settings of every record that it hands out are those in effect: the host's `peerDefaults`, then
 * the peer's own. So whoever deals with a peer sees them, and nobody has to know where they come from.
 *
 * A record goes back into the store with the peer's own settings, or the defaults of today would be the peer's for ever.
 * A copy of a record keeps its `settings` object, and by this they are found; a new object is the peer's own.
 */
export function withEffectiveSettings(store: PeerStore, defaults: PeerSettings): PeerStore {
  if (Object.keys(defaults).length === 0) return store;

  const shown = (record: PeerRecord): PeerRecord => {
    const settings = mergeSettings(defaults, record.settings);
    ownSettings.set(settings, record.settings);
    return { ...record, settings };
  };

  return {
    async insert(peer) {
      const { inserted, peer: record } = await store.insert({ ...peer, settings: ownSettingsOf(peer) });
      return { inserted, peer: shown(record) };
    },
    async find(key) {
      const record = await store.find(key);
      return record && shown(record);
    },
    async update(peer) {
      const record = await store.update({ ...peer, settings: ownSettingsOf(peer) });
      return record && shown(record);
    },
    async list(filter, after, limit) {
      const page = await store.list(filter, after, limit);
      return { ...page, items: page.items.map(shown) };
    },
    allHostsServices: () => store.allHostsServices(),
    changeAllHostsServices: (change) => store.changeAllHostsServices(change),
    generation: () => store.generation(),
  };
}
