import type { Transport, TransportRequest, TransportResponse } from "../../src/transport/transport.ts";
import { decodeCall } from "../../src/xmlrpc/decode.ts";
import { encodeResult } from "../../src/xmlrpc/encode.ts";
import { transportTo, type KeyedSite } from "./hosts.ts";

/** What a site answers a stranger. */
export interface ScriptedSite {
  /** Answer to `system/keyswap` under Moodle's suffix; `undefined`: 404. Default: its certificate. */
  readonly moodle?: Answer | undefined;
  /** The same under Mahara's suffix. Default: 404. */
  readonly mahara?: Answer | undefined;
  /** Its home page. Default: one with a title. */
  readonly home?: Answer | undefined;
}
type Answer = string | Uint8Array | TransportResponse | (() => Promise<TransportResponse>);

export const NOT_FOUND: TransportResponse = { status: 404, headers: {}, body: Buffer.from("<title>404</title>") };

/** A site that does what its script says, and keeps what it was asked. */
export function scriptedSite(
  { wwwroot, certificate }: KeyedSite,
  script: ScriptedSite = {},
): { readonly transport: Transport; readonly asked: TransportRequest[]; readonly swaps: () => unknown[][] } {
  const asked: TransportRequest[] = [];
  const answers = new Map<string, Answer | undefined>([
    [`${wwwroot}/mnet/xmlrpc/server.php`, "moodle" in script ? script.moodle : encodeResult(certificate.pem)],
    [`${wwwroot}/api/xmlrpc/server.php`, script.mahara],
    [`${wwwroot}/`, script.home ?? "<html><title>A scripted site</title>"],
  ]);
  const transport = transportTo((request) => {
    asked.push(request);
    const answer = answers.get(request.url.href) ?? NOT_FOUND;
    return typeof answer === "function" ? answer() : answer;
  });
  return {
    transport,
    asked,
    swaps: () => asked.flatMap(({ body }) => (body ? [[...decodeCall(body).params]] : [])),
  };
}
