import { abortWith } from "./abort.ts";

/**
 * Work that can be told to end: by whoever wants it, or by whoever does it. Most of it never asks for its signal, and to
 * make one takes longer than to read a small envelope; so it is made when somebody asks.
 */
export class Task {
  readonly #parent: { readonly signal?: AbortSignal | undefined };
  #controller: AbortController | undefined;
  #unfollow: (() => void) | undefined;
  #listeners: Set<(reason: Error) => void> | undefined;
  #reason: Error | undefined;

  /** @param parent whose signal ends it, too; it is not looked at before this one is asked for its own. */
  constructor(parent: { readonly signal?: AbortSignal | undefined }) {
    this.#parent = parent;
  }

  /** Aborts when the work is to end. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      this.#unfollow = abortWith(this.#controller, this.#parent.signal);
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Tells it to end, once. */
  abort(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners ?? []) listener(reason);
  }

  /** Calls back when `abort` is called, and not for the parent. Returns the function that ends that. */
  onAbort(listener: (reason: Error) => void): () => void {
    if (this.#reason) listener(this.#reason);
    this.#listeners ??= new Set();
    this.#listeners.add(listener);
    return () => this.#listeners?.delete(listener);
  }

  /** It is over: the parent is not followed any more. */
  end(): void {
    this.#unfollow?.();
  }
}
