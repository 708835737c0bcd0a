import type { IncomingMessage } from "node:http";

/** Longest form: two names and a path. */
const LONGEST_FORM = 16 * 1024;

/** Whether a page of ours sent this form. Another site's form brings the browser's cookies with it (CSRF). */
export function isFromOwnPage({ headers }: IncomingMessage, origin: string): boolean {
  const fetchSite = headers["sec-fetch-site"];
  // Another port of the same host is `same-site`, and a site of its own all the same.
  return fetchSite === undefined ? headers.origin === origin : fetchSite === "same-origin";
}

/** The fields of a form; `undefined`: it is longer than any of ours. */
export async function readForm(req: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LONGEST_FORM) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}
