import { setMaxListeners } from "node:events";

/**
 * Makes the controller abort when the signal does, for the same reason. Returns the function that ends that.
 *
 * `AbortSignal.any` would leave something behind with each use on a signal that lives long, and all listeners of its
 * result as well.
 */
export function abortWith(controller: AbortController, signal: AbortSignal | undefined): () => void {
  const abort = (): void => {
    controller.abort(signal?.reason);
  };
  // Any number of calls may share one signal; Node would warn of a leak from the eleventh on.
  if (signal) setMaxListeners(0, signal);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  return () => signal?.removeEventListener("abort", abort);
}
