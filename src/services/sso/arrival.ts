import { CallError, MnetError, RemoteFault, SsoError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import type { Exchange } from "../../core/exchange.ts";
import type { Peer } from "../../core/peer-snapshot.ts";
import type { Site } from "../../host/site.ts";
import type { Account, RemoteProfile } from "../../plug-ins/account.ts";
import { importProfile, isComplete } from "../../plug-ins/profile-fields.ts";
import { userCourseFields } from "../../plug-ins/course-fields.ts";
import { isRemoteUsername } from "../../plug-ins/usernames.ts";
import { decodeBase64 } from "../../core/base64.ts";
import { isStruct, type XmlRpcStruct, type XmlRpcValue } from "../../xmlrpc/value.ts";
import { IDP, idpMethods } from "./methods.ts";
import type { SsoConfiguration } from "./options.ts";
import { checkPicture } from "./picture.ts";

/** How long a landing waits for a picture; without it she comes in all the same. */
const PICTURE_PATIENCE_MS = 5000;
/** Sites that do not tell when a picture was changed are asked again after this. */
const PICTURE_AGE_MS = 24 * 60 * 60_000;

/** A visitor who has proved who she is. */
export interface Arrival {
  readonly account: Account;
  /** She was here for the first time. */
  readonly created: boolean;
}

/** Finds out who stands before the door, and makes or updates her account (spec 9.5, 9.7). */
export class Arrivals {
  readonly #site: Site;
  readonly #configuration: SsoConfiguration;

  constructor(site: Site, configuration: SsoConfiguration) {
    this.#site = site;
    this.#configuration = configuration;
  }

  /** Throws `SsoError`. */
  async welcome(peer: Peer, token: string, useragent: string, exchange: Exchange): Promise<Arrival> {
    const user = await this.#authorise(peer, token, useragent, exchange);
    const username = this.#usernameOf(peer, user);
    const { importFields, signIn } = await this.#site.settings(peer);
    const profile = importProfile(user, importFields);
    if (!isComplete(profile)) {
      throw refusal(
        "MNET_SSO_PROFILE_INCOMPLETE",
        peer,
        "there",
        `${peer.wwwroot} sent no first name, last name or e-mail address of ${username}.`,
      );
    }
    // Before the account is made, unlike Moodle (spec 9.7): who may not come in leaves no trace.
    const rule = (await this.#site.store.access.get(peer.id, username)) ?? signIn;
    if (rule === "deny") {
      throw refusal(
        "MNET_SSO_ACCESS_DENIED",
        peer,
        "here",
        `${username} of ${peer.wwwroot} is not permitted to log in here.`,
      );
    }
    const arrival = await this.#accountFor(peer, username, profile);
    if (importFields.includes("picture")) await this.#takePicture(peer, username, user, arrival, exchange);
    if (!arrival.created) this.#tellEnrolments(peer, username, arrival.account);
    return arrival;
  }

  async #authorise(peer: Peer, token: string, useragent: string, exchange: Exchange): Promise<XmlRpcStruct> {
    let user: XmlRpcValue;
    try {
      user = await this.#site.call(peer, idpMethods.user_authorise, { token, useragent }, exchange);
    } catch (error) {
      throw exchange.signal.aborted ? error : authorisationFailed(peer, error);
    }
    if (isStruct(user)) return user;
    throw refusal("MNET_SSO_IDP_FAILED", peer, "there", `${peer.wwwroot} did not say who the user is.`);
  }

  #usernameOf(peer: Peer, { username }: XmlRpcStruct): string {
    if (typeof username === "string" && isRemoteUsername(username)) return username;
    throw refusal("MNET_SSO_IDP_FAILED", peer, "there", `${peer.wwwroot} sent no name of the user that can be used.`);
  }

  /** By (peer, username) and nothing else (SEC-058, SEC-059). */
  async #accountFor(peer: Peer, username: string, profile: RemoteProfile): Promise<Arrival> {
    const { accounts } = this.#configuration;
    const known = await accounts.findRemote(peer, username);
    const account = known ?? (await accounts.createRemote(peer, username, profile));
    if (account.home !== peer.wwwroot || account.username !== username) {
      throw new Error("The accounts plug-in gave another account than that of the visitor.");
    }
    if (known) await accounts.updateRemote(known, profile);
    return { account, created: !known };
  }

  /** Only if it is newer than ours (spec 9.8, MNET-117). Whatever goes wrong, she comes in without. */
  async #takePicture(
    peer: Peer,
    username: string,
    user: XmlRpcStruct,
    { account, created }: Arrival,
    { signal, emit }: Exchange,
  ): Promise<void> {
    const { accounts } = this.#configuration;
    if (!accounts.setPicture || !this.#isNewer(user, account, created)) return;
    try {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(PICTURE_PATIENCE_MS)]);
      const exchange = { signal: patience, emit };
      const bytes = pictureIn(await this.#site.call(peer, idpMethods.fetch_user_image, { username }, exchange));
      if (!bytes) return;
      const checked = checkPicture(bytes);
      if ("picture" in checked) await accounts.setPicture(account, checked.picture);
      else remark(peer, emit, `The picture of ${username} was not taken: ${checked.refused}`);
    } catch (error) {
      if (signal.aborted) throw error;
      remark(
        peer,
        emit,
        `The picture of ${username} was not taken: ${error instanceof Error ? error.message : "it failed."}`,
      );
    }
  }

  #isNewer(user: XmlRpcStruct, { pictureChangedAt }: Account, created: boolean): boolean {
    const { picture, imagehash, _mnet_userpicture_timemodified: changed } = user;
    const hasPicture = picture === undefined ? imagehash !== undefined : Number(picture) !== 0;
    if (!hasPicture) return false;
    const mine = pictureChangedAt?.getTime();
    if (created || mine === undefined) return true;
    const theirs = Number(changed) * 1000;
    return Number.isFinite(theirs) ? theirs > mine : this.#site.clock.now() > mine + PICTURE_AGE_MS;
  }

  /** In the background, and whatever comes back is ignored (spec 9.9, MNET-118). */
  #tellEnrolments(peer: Peer, username: string, account: Account): void {
    const { enrolments } = this.#configuration;
    if (!enrolments) return;
    const tell = async (exchange: Exchange): Promise<void> => {
      const courses = userCourseFields(await enrolments.ofAccount(account), this.#site.wwwroot);
      await this.#site.call(peer, idpMethods.update_enrolments, { username, courses }, exchange);
    };
    this.#site.background.run(() =>
      this.#site.run((exchange) =>
        tell(exchange).catch((error: unknown) => {
          // A call that failed has told so itself.
          if (error instanceof Error && !MnetError.is(error)) {
            remark(peer, exchange.emit, `It was not told of the courses of ${username}: ${error.message}`);
          }
        }),
      ),
    );
  }
}

function remark({ id, wwwroot }: Peer, emit: Emit, text: string): void {
  emit({ type: "envelope.remark", level: "warn", peer: { id, wwwroot }, remark: text });
}

/** Moodle sends two sizes, of which the first is larger; Mahara leaves the first empty. `false`, `[]` and `""` are no picture. */
function pictureIn(answer: XmlRpcValue): Uint8Array | undefined {
  if (!isStruct(answer)) return undefined;
  for (const image of [answer["f1"], answer["f2"]]) {
    if (image instanceof Uint8Array && image.length > 0) return image;
    if (typeof image === "string" && image !== "") return decodeBase64(image);
  }
  return undefined;
}

const refusal = (
  code: SsoError["code"],
  { wwwroot }: Peer,
  side: SsoError["side"],
  message: string,
  cause?: unknown,
): SsoError =>
  new SsoError(code, message, { side, peer: wwwroot, cause, retryable: MnetError.is(cause) && cause.retryable });

/** What the home site's refusal means to the one who stands here. */
function authorisationFailed(peer: Peer, error: unknown): SsoError {
  if (error instanceof CallError && error.code === "MNET_CALL_NOT_SUBSCRIBED") {
    return refusal(
      "MNET_SSO_NOT_CONFIGURED",
      peer,
      "here",
      `This site does not subscribe to ${IDP} on ${peer.wwwroot}.`,
      error,
    );
  }
  if (!(error instanceof RemoteFault)) {
    return refusal("MNET_SSO_IDP_FAILED", peer, "there", `${peer.wwwroot} could not be asked who the user is.`, error);
  }
  switch (error.faultCode) {
    case 702:
    case 707:
    case 7012:
      return refusal(
        "MNET_SSO_NOT_CONFIGURED",
        peer,
        "there",
        `${peer.wwwroot} does not publish ${IDP} to this site.`,
        error,
      );
    case 1:
      return refusal(
        "MNET_SSO_TOKEN_REFUSED",
        peer,
        "there",
        `${peer.wwwroot} does not know the token for this browser: it was used before, or the browser's User-Agent header differs between the two sites.`,
        error,
      );
    case 2:
      return refusal(
        "MNET_SSO_TOKEN_REFUSED",
        peer,
        "there",
        `${peer.wwwroot} says that the token came too late.`,
        error,
      );
    default:
      return refusal("MNET_SSO_TOKEN_REFUSED", peer, "there", `${peer.wwwroot} refused the token.`, error);
  }
}
