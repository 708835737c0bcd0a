/** What a body is that is neither an envelope nor XML-RPC, and what to do about it. */
export interface PlainDescription {
  readonly detail: string;
  readonly hint: string;
}

/** Looks at the beginning of bytes that should have been a message. */
export function describePlain(body: Uint8Array): PlainDescription {
  const start = Buffer.from(body.subarray(0, 4096)).toString("latin1");
  if (start.trim() === "") {
    return {
      detail: "The body is empty.",
      hint: "a PHP error on the other side ends like this; look into its web server's error log.",
    };
  }
  if (start.startsWith("\x1f\x8b")) {
    return { detail: "The body is compressed with gzip.", hint: "decompress it first, for example with gunzip." };
  }
  if (/^(?:HTTP\/[0-9.]+ [0-9]{3}|(?:POST|GET) \S+ HTTP\/)/.test(start)) {
    return {
      detail: "The file begins with an HTTP request or response line.",
      hint: "give the body alone: what follows the first empty line.",
    };
  }
  if (/^(?:\xef\xbb\xbf)?\s{0,64}<(?:!doctype\s+html|html|head|body|title)[\s>]/i.test(start)) {
    return {
      detail: "This is a web page, not an answer of MNet.",
      hint: "networking may be switched off at the site, the wwwroot may be another, or a proxy or a maintenance page answered.",
    };
  }
  if (/^[ \t\r\n]+<(?:\?xml|encryptedMessage|signedMessage|methodCall|methodResponse)/.test(start)) {
    return {
      detail: "White space stands before the XML declaration, so that this is not XML.",
      hint: "the sender prints something before its message; in PHP often a blank line before <?php or after ?>.",
    };
  }
  if (start.startsWith("{") || start.startsWith("[")) {
    return {
      detail: "This is JSON, and no recorded exchange.",
      hint: "a recorded exchange has the members request and response, each with bodyBase64.",
    };
  }
  return {
    detail: "This is neither an envelope of MNet nor an XML-RPC document.",
    hint: "was the body captured whole, as bytes, and without headers?",
  };
}
