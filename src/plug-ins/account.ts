import type { Peer } from "../core/peer-snapshot.ts";
import type { UntrustedHtml } from "./untrusted-html.ts";

/** A user of the application, as MNet sees her. */
export interface Account {
  /** Yours; never changes. */
  readonly id: string;
  /** As your application writes it; for a user of another site, as that site writes it. */
  readonly username: string;
  /** Wwwroot of the site that she comes from. Absent: ours. She never roams onwards (spec 9.3). */
  readonly home?: string | undefined;
  /** When her picture was last changed. Absent: no picture, or nobody knows. */
  readonly pictureChangedAt?: Date | undefined;
}

/** What a site says of a user. Names are those on the wire, because field lists are written in them (spec 9.6). */
export interface Profile<Html = string> {
  readonly email: string;
  readonly firstname: string;
  readonly lastname: string;
  readonly idnumber?: string | undefined;
  readonly institution?: string | undefined;
  readonly department?: string | undefined;
  readonly city?: string | undefined;
  /** Two letters (ISO 3166-1), in upper case. */
  readonly country?: string | undefined;
  /** Such as `en` or `pt_br`: Moodle's codes, which have an underscore and lower case. */
  readonly lang?: string | undefined;
  /** Such as `Europe/Vienna`; `99` is the site's own. */
  readonly timezone?: string | undefined;
  readonly description?: Html | undefined;
  /** Any further column on the field list, by wire name. */
  readonly other?: Readonly<Record<string, string>> | undefined;
}

/** A site where a user has courses, as her home site tells (`myhosts`, spec 9.5). */
export interface CourseSite {
  /** Text from outside: escape it. */
  readonly name: string;
  /** With http or https. */
  readonly url: string;
  /** How many courses. */
  readonly courses: number;
}

/** What another site says of its user: cut to the import list, plain text without control characters. */
export interface RemoteProfile extends Profile<UntrustedHtml> {
  /** Where she has courses. Absent: nowhere, or her home site does not tell. */
  readonly myhosts?: readonly CourseSite[] | undefined;
}

/** A user's picture. */
export interface Picture {
  readonly bytes: Uint8Array;
  readonly type: "image/png" | "image/jpeg" | "image/gif" | "image/webp";
}

/**
 * Your users, as single sign-on and enrolment need them. Remote accounts are keyed by (peer, username) and never merged
 * with others by name or e-mail (SEC-059). What a method throws is logged, and the peer or the browser sees no detail.
 */
export interface Accounts {
  /** Any account, by your id. */
  find(accountId: string): Promise<Account | undefined>;
  /** Only users whose home is here. The name is compared exactly. */
  findByUsername(username: string): Promise<Account | undefined>;
  /** Only users whose home is that peer. The name is compared exactly. */
  findRemote(home: Peer, username: string): Promise<Account | undefined>;
  /**
   * Makes an account for a user of another site. Of concurrent calls for one (home, username), one creates; all return the
   * same account. The fields have passed the import list; access was checked.
   */
  createRemote(home: Peer, username: string, profile: RemoteProfile): Promise<Account>;
  /** Takes over what the home site says of a user now. A field that is absent was not told: leave it as it is. */
  updateRemote(account: Account, profile: RemoteProfile): Promise<void>;
  /** Everything that may ever travel; it is cut to the peer's export list. */
  profile(account: Account): Promise<Profile>;
  /** Moodle's `moodle/site:mnetlogintoremote` (spec 1.8). Asked at each jump. Guests and suspended users: `false`. */
  mayRoam(account: Account, to: Peer): Promise<boolean>;
  /** Her picture. Left out: nobody here has one. */
  picture?(account: Account): Promise<Picture | undefined>;
  /**
   * Takes over a picture of a remote user, whose type by magic bytes, size and pixels were checked (SEC-066). Serve it with
   * that type and `X-Content-Type-Options: nosniff`. Left out: none is asked for.
   */
  setPicture?(account: Account, picture: Picture): Promise<void>;
  /**
   * Where names of your own users are not Moodle's `[-._@a-z0-9]+`: a mapping and its exact inverse. Names of remote users
   * stay as they came. Left out: names travel as they are.
   */
  readonly usernames?:
    | {
        /** As peers get it: lower-case letters, digits and `-._@`. */
        toPeer(username: string, peer: Peer): string;
        /** Back again: of any name that `toPeer` makes, the one that it was made of. */
        fromPeer(username: string, peer: Peer): string;
      }
    | undefined;
}
