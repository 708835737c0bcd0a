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
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  return () => signal?.removeEventListener("abort", abort);
}
