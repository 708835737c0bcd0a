import { StoreError } from "../core/errors.ts";

/** What `Store.restore` throws where there is a key, a peer or a box for All Hosts. Nothing was changed. */
export function notEmpty(): StoreError {
  return new StoreError(
    "MNET_STORE_NOT_EMPTY",
    "The store is in use: it has keys or peers of its own. A site is restored into an empty one.",
  );
}
