import { ConfigError } from "../core/errors.ts";

/** What `PeerStore.update` throws where a changed wwwroot or canonical form is another peer's. Nothing was changed. */
export function peerTaken(): ConfigError {
  return new ConfigError("MNET_CONFIG_INVALID", "Another peer has this wwwroot or one that can be confused with it.", {
    option: "wwwroot",
  });
}
