import { open } from "../../src/envelope/open.ts";
import { seal } from "../../src/envelope/seal.ts";
import { Certificate } from "../../src/crypto/certificate.ts";
import { KeyPair } from "../../src/crypto/key-pair.ts";
import { interleave, timeOf, timeOfAsync } from "../support/interleave.ts";
import { RsaOfCall } from "../support/rsa-of-call.ts";
import { CALLER, echoCalls, makeKey, SERVER } from "../support/sites.ts";
import { median, ratios } from "../support/statistics.ts";
import type { Suite } from "../support/suite.ts";
import { sizeName } from "../support/units.ts";

const KB = 1024;
const SIZES = [KB, 10 * KB, 100 * KB, KB * KB, 10 * KB * KB];
/** A round takes some 40 ms, but is one message at least. */
const ROUND_MS = 40;

/** What `mnet/envelope` does, by size. */
export const envelope: Suite = {
  name: "envelope",
  title: "Seal and open an envelope",
  async run(bench) {
    const [ours, theirs] = [await makeKey(CALLER), await makeKey(SERVER)];
    const sealing = { sender: CALLER, key: KeyPair.parse(ours), recipient: Certificate.parse(theirs.certificate) };
    const pinned = Certificate.parse(ours.certificate);
    const opening = { keys: [KeyPair.parse(theirs)], certificateOf: () => pinned, maxBytes: Infinity };
    const rsa = new RsaOfCall();
    for (const size of SIZES) {
      const [document = new Uint8Array()] = echoCalls(size, 1);
      const body = await seal(document, sealing);
      const estimate = await timeOfAsync(2, () => seal(document, sealing));
      const count = Math.max(1, Math.round(ROUND_MS / estimate));
      const costs = await interleave(
        {
          sealRsa: () => timeOf(count, () => [rsa.sign(), rsa.wrap()]),
          seal: () => timeOfAsync(count, () => seal(document, sealing)),
          openRsa: () => timeOf(count, () => [rsa.unwrap(), rsa.verify()]),
          open: () => timeOfAsync(count, () => open(body, opening)),
        },
        { rounds: bench.either(30, 7), warmUp: bench.either(5, 2) },
      );
      const [name, what] = [sizeName(size).replace(" ", "").toLowerCase(), sizeName(size)];
      bench.add(`envelope.seal-${name}`, `Seal ${what}`, costs.seal, { unit: "ms" });
      bench.add(`envelope.open-${name}`, `Open ${what}`, costs.open, { unit: "ms" });
      if (size <= 10 * KB) {
        const unit = "of the RSA bound";
        bench.add(`envelope.seal-${name}-bound`, `Seal ${what}: RSA alone / seal`, ratios(costs.sealRsa, costs.seal), {
          unit,
        });
        bench.add(`envelope.open-${name}-bound`, `Open ${what}: RSA alone / open`, ratios(costs.openRsa, costs.open), {
          unit,
        });
      } else {
        const rate = (times: readonly number[], rsaTimes: readonly number[]): number =>
          size / KB / KB / ((median(times) - median(rsaTimes)) / 1000);
        bench.add(`envelope.seal-${name}-rate`, `Seal ${what} less its RSA`, rate(costs.seal, costs.sealRsa), {
          unit: "MB/s",
        });
        bench.add(`envelope.open-${name}-rate`, `Open ${what} less its RSA`, rate(costs.open, costs.openRsa), {
          unit: "MB/s",
        });
      }
    }
  },
};
