declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A site's identity: its URL without trailing slash, compared byte by byte (spec 1.1). Read it from a `Peer` or from the host. */
export type Wwwroot = Brand<string, "Wwwroot">;

/** Our stable number for a peer, the `hostid` of jump links (spec 9.2). Store it beside your own rows. */
export type PeerId = Brand<number, "PeerId">;

/** Lower-case hex SHA-256 of a certificate in DER form. */
export type Fingerprint = Brand<string, "Fingerprint">;

/** Where a page of a `Listing` ended. Opaque; safe in a URL. */
export type Cursor = Brand<string, "Cursor">;
