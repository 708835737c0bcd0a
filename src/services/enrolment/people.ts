import { EnrolmentError } from "../../core/errors.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { Account, Accounts, Profile } from "../../plug-ins/account.ts";
import { exportProfile, isComplete } from "../../plug-ins/profile-fields.ts";
import { wireUsername } from "../../plug-ins/usernames.ts";
import type { XmlRpcStruct } from "../../xmlrpc/value.ts";
import type { Person } from "./remote-enrolment.ts";

/** Who may be enrolled elsewhere, and what a peer is told of her. What does not fit throws `MNET_ENROLMENT_PERSON_UNSUITABLE`. */
export class People {
  readonly #site: Site;
  readonly #accounts: Accounts | undefined;

  constructor(site: Site, accounts: Accounts | undefined) {
    this.#site = site;
    this.#accounts = accounts;
  }

  /** Her name as it travels. It is all that is needed to end an enrolment, also of somebody who is gone. */
  nameOf(person: Person, peer: Peer): string {
    const { username } = person;
    if (isAccount(person) && person.home !== undefined) throw unsuitable(person, "comes from another site herself");
    const wire = wireUsername(this.#accounts ?? {}, username, peer);
    if (wire !== undefined) return wire;
    throw unsuitable(
      person,
      username === ""
        ? "has no username"
        : "has a username that a Moodle refuses: it takes small letters, digits, and -._@",
    );
  }

  /** What `enrol_user` says of her: the columns on the peer's export list (spec 9.6, SEC-060). */
  async columnsOf(person: Person, peer: Peer): Promise<XmlRpcStruct> {
    const wire = this.nameOf(person, peer);
    const profile = await this.#profileOf(person, peer);
    if (!isComplete(profile)) throw unsuitable(person, "has no e-mail address, no first name or no last name");
    const { exportFields } = await this.#site.settings(peer);
    return exportProfile(wire, profile, exportFields);
  }

  async #profileOf(person: Person, peer: Peer): Promise<Profile> {
    const accounts = this.#accounts;
    if (!accounts) {
      if (isAccount(person)) throw unsuitable(person, "is an account, but no `accounts` are plugged in");
      return person;
    }
    const account = isAccount(person) ? person : await accounts.findByUsername(person.username);
    if (account?.home !== undefined || !account) throw unsuitable(person, "is no user of this site");
    if (!(await accounts.mayRoam(account, peer))) throw unsuitable(person, "may not log in at other sites");
    return accounts.profile(account);
  }
}

const isAccount = (person: Person): person is Account => "id" in person;

const unsuitable = ({ username }: Person, why: string): EnrolmentError =>
  new EnrolmentError("MNET_ENROLMENT_PERSON_UNSUITABLE", `${JSON.stringify(username.slice(0, 255))} ${why}.`);
