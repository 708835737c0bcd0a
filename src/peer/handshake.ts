import { RemoteFault, TransportError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import type { ApplicationName } from "../core/peer-snapshot.ts";
import { Certificate } from "../crypto/certificate.ts";
import { decodeResponse } from "../xmlrpc/decode.ts";
import { encodeCall } from "../xmlrpc/encode.ts";
import { rpcUrl } from "./application.ts";
import type { HttpClient, Route } from "./http-exchange.ts";
import { siteTitle } from "./site-title.ts";

/** Home pages of real sites are some 100 KB; one may stand where the endpoint should be. Certificates are smaller. */
const MAXIMUM_PAGE_BYTES = 1024 * 1024;
/** In the order in which they are tried. */
const APPLICATION_NAMES: readonly ApplicationName[] = ["moodle", "mahara"];

/** What a site shows of itself to a stranger. */
export interface SiteIntroduction {
  readonly application: ApplicationName;
  /** Its certificate, checked against its wwwroot. */
  readonly certificate: Certificate;
}

/**
 * Asks a site for its certificate by `system/keyswap` (spec 7.7): a plain exchange that proves nothing, on which pinning
 * begins.
 *
 * Throws `TransportError`, `RemoteFault`, or `KeyError` if the certificate is unusable or another site's.
 *
 * @param self what we show in turn.
 * @param options.application the site's software; where it is not known, Moodle's URL is tried first, then Mahara's, or
 * the other way round if `tryFirst` says so.
 */
export async function introduceOurselves(
  http: HttpClient,
  route: Route,
  self: { readonly wwwroot: string; readonly certificate: string },
  options: {
    readonly application?: ApplicationName | undefined;
    readonly tryFirst?: ApplicationName | undefined;
    /** Default 2048. */
    readonly minimumBits?: 1024 | 2048 | undefined;
    readonly limits: Limits;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<SiteIntroduction> {
  const { application: known, tryFirst } = options;
  const candidates: readonly ApplicationName[] = known
    ? [known]
    : [...APPLICATION_NAMES].sort((a, b) => Number(b === tryFirst) - Number(a === tryFirst));
  let firstFailure: unknown;
  for (const application of candidates) {
    try {
      const pem = await swapKeys(http, route, self, application, options);
      return {
        application,
        certificate: Certificate.parse(pem, { wwwroot: route.wwwroot, minimumBits: options.minimumBits }),
      };
    } catch (error) {
      if (!isOtherSoftware(error)) throw error;
      firstFailure ??= error;
    }
  }
  throw firstFailure;
}

async function swapKeys(
  http: HttpClient,
  route: Route,
  self: { readonly wwwroot: string; readonly certificate: string },
  application: ApplicationName,
  { limits, signal }: { readonly limits: Limits; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const url = rpcUrl(route.wwwroot, application);
  // The third parameter is what we believe the receiver to be (spec 7.7).
  const body = encodeCall("system/keyswap", [self.wwwroot, self.certificate, application]);
  const response = await http.exchange(route, {
    method: "POST",
    url,
    body,
    contentType: "text/xml; charset=utf-8",
    maxBytes: Math.min(limits.responseBytes, MAXIMUM_PAGE_BYTES),
    signal,
  });
  if (response.status !== 200) {
    throw new TransportError("MNET_TRANSPORT_STATUS", `${url.href} answered with status ${response.status}.`, {
      url: url.href,
      status: response.status,
      peer: route.wwwroot,
      retryable: response.status >= 500,
    });
  }
  const document = readPlain(response.body, url, route, limits);
  if (document.kind === "fault") {
    const { faultCode, faultString } = document;
    throw new RemoteFault(`${route.wwwroot} answered system/keyswap with fault ${faultCode}.`, {
      method: "system/keyswap",
      faultCode,
      faultString,
      authenticated: false,
      peer: route.wwwroot,
    });
  }
  if (typeof document.value !== "string") throw notMnet(url, route, undefined);
  return document.value;
}

function readPlain(body: Uint8Array, url: URL, route: Route, limits: Limits): ReturnType<typeof decodeResponse> {
  try {
    return decodeResponse(body, { limits });
  } catch (cause) {
    throw notMnet(url, route, cause);
  }
}

const notMnet = (url: URL, { wwwroot }: Route, cause: unknown): TransportError =>
  new TransportError(
    "MNET_TRANSPORT_NOT_MNET",
    `${url.href} does not answer MNet; perhaps networking is switched off there, or the site's wwwroot is another.`,
    { url: url.href, peer: wwwroot, cause },
  );

/** A page or "not found" where the endpoint should be. */
const isOtherSoftware = (error: unknown): boolean =>
  error instanceof TransportError &&
  (error.code === "MNET_TRANSPORT_NOT_MNET" || error.code === "MNET_TRANSPORT_REDIRECT" || error.status === 404);

/** The title of a site's home page, or `undefined` if it shows none: a name is a convenience. */
export async function fetchTitle(http: HttpClient, route: Route, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const { status, body } = await http.exchange(route, {
      method: "GET",
      // With the slash, without which web servers redirect to the directory of a site that lives in one.
      url: new URL(`${route.wwwroot}/`),
      maxBytes: MAXIMUM_PAGE_BYTES,
      signal,
    });
    return status === 200 ? siteTitle(Buffer.from(body).toString("utf8")) : undefined;
  } catch (error) {
    if (error instanceof TransportError) return undefined;
    throw error;
  }
}
