import type { Wwwroot } from "../core/ids.ts";
import type { Browser } from "../plug-ins/browser.ts";
import { headerOf, type HttpRequest, type HttpResponse } from "./http.ts";

/** A request as a page sees it, and what puts the headers that were added meanwhile into the response. */
export function browserOf(
  request: HttpRequest,
  wwwroot: Wwwroot,
): { readonly browser: Browser; readonly withOwnHeaders: (response: HttpResponse) => HttpResponse } {
  const added: (readonly [name: string, value: string])[] = [];
  const browser: Browser = {
    method: request.method,
    // Only ever the path and query of the request: an absolute one would bring an origin with it.
    url: new URL(new URL(wwwroot).origin + (request.path.startsWith("/") ? request.path : "/")),
    header: (name) => headerOf(request, name.toLowerCase()),
    appendHeader(name, value) {
      added.push([name, value]);
    },
    raw: request.raw,
  };
  return { browser, withOwnHeaders: (response) => ({ ...response, headers: [...response.headers, ...added] }) };
}
