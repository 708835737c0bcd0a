/**
 * How the other software writes text (spec 5.2): `"epi"` is PHP's old xmlrpc extension, in Moodle to 4.0 and Mahara;
 * `"pxr"` is the PhpXmlRpc library, in Moodle from 4.1.
 */
export type Dialect = "epi" | "pxr";
