import type { Transport, TransportRequest, TransportResponse } from "../../transport/transport.ts";

/** One exchange with a peer's RPC address, as bytes on the wire. */
export interface WireExchange {
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

/** Passes everything on and keeps what was exchanged, so that it can be looked into afterwards. */
export class RecordingTransport implements Transport {
  readonly #inner: Transport;
  readonly #recorded: WireExchange[] = [];

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  /** All exchanges so far, oldest first. */
  get recorded(): readonly WireExchange[] {
    return this.#recorded;
  }

  async exchange(request: TransportRequest): Promise<TransportResponse> {
    const response = await this.#inner.exchange(request);
    if (request.body) this.#recorded.push({ request: request.body, response: response.body });
    return response;
  }

  async close(): Promise<void> {
    await this.#inner.close?.();
  }
}
