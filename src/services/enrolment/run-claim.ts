import { randomUUID } from "node:crypto";
import { EnrolmentError } from "../../core/errors.ts";
import type { Site } from "../../host/site.ts";

/** A claim that is not renewed ends after this time: so long a killed run keeps others waiting. */
const LEASE_MS = 10_000;
const RENEWAL_MS = 3000;

/** What one process has of a run that only one may work on. */
export class RunClaim {
  readonly #site: Site;
  readonly #key: string;
  readonly #owner = randomUUID();
  #cancelRenewal: () => void = () => undefined;
  #claimedUntil = 0;
  #lost: Error | undefined;

  private constructor(site: Site, key: string) {
    this.#site = site;
    this.#key = key;
  }

  /** Claims the run and keeps it. Throws `MNET_ENROLMENT_RUN_ACTIVE` while another one has it. */
  static async on(site: Site, key: string): Promise<RunClaim> {
    const claim = new RunClaim(site, key);
    await claim.#renew();
    claim.#renewLater();
    return claim;
  }

  /** Throws if the run is somebody else's by now; to be asked before each call. */
  async check(): Promise<void> {
    // A process that was asleep for long finds out before it does something, not when its timer comes.
    if (this.#site.clock.now() >= this.#claimedUntil) await this.#renew();
    if (this.#lost) throw this.#lost;
  }

  /** Gives the run back. What fails is left to the end of the lease. */
  async end(): Promise<void> {
    this.#cancelRenewal();
    const { runs } = this.#site.store;
    await this.#site.withStore(() => runs.release(this.#key, this.#owner)).catch(() => undefined);
  }

  async #renew(): Promise<void> {
    const now = this.#site.clock.now();
    const { runs } = this.#site.store;
    const isOurs = await this.#site.withStore(() => runs.acquire(this.#key, this.#owner, now + LEASE_MS, now));
    if (isOurs) {
      this.#claimedUntil = now + LEASE_MS;
      return;
    }
    this.#lost = new EnrolmentError(
      "MNET_ENROLMENT_RUN_ACTIVE",
      `Another process works on the run ${JSON.stringify(this.#key)}; if it was killed, try again in ${LEASE_MS / 1000} seconds.`,
      { retryable: true },
    );
    throw this.#lost;
  }

  #renewLater(): void {
    this.#cancelRenewal = this.#site.clock.after(RENEWAL_MS, () => {
      this.#renewLater();
      this.#site.background.run(() => this.#renew());
    });
  }
}
