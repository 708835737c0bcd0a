import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { DemoSite } from "./demo-site.ts";
import { DemoFailure, duration, type Narrator } from "./narrator.ts";
import { Visitor, type Visited } from "./visitor.ts";
import { coursePath, loginPath, PATHS } from "./web/paths.ts";
import type { OwnUser } from "./web/site-content.ts";

/** A course of the college that the story's users have links to. */
const COURSE = 7;
const DEEP_LINK = coursePath(COURSE);
const LAND_PATH = "/auth/mnet/land.php";
/** Longer than any logout takes to get around on one machine. */
const PATIENCE_MS = 5000;

/** How users go from one site to the other. Each step says what it found and throws `DemoFailure` if that is not as it should be. */
export class RoamingStory {
  readonly #alpha: DemoSite;
  readonly #beta: DemoSite;
  readonly #narrator: Narrator;
  readonly #zoe = new Visitor("Mozilla/5.0 (the browser of Zoë)");
  /** A token that has been redeemed. */
  #spent: URL | undefined;

  constructor(alpha: DemoSite, beta: DemoSite, narrator: Narrator) {
    this.#alpha = alpha;
    this.#beta = beta;
    this.#narrator = narrator;
  }

  /** She logs in at home, and clicks. */
  async goToBeta(): Promise<void> {
    const { tell, check } = this.#voice;
    const [alpha, beta] = [this.#alpha, this.#beta];
    const boxes = { sso_idp: "both", sso_sp: "both" } as const;
    const [toBeta, toAlpha] = await Promise.all([
      alpha.host.peers.get(beta.wwwroot),
      beta.host.peers.get(alpha.wwwroot),
    ]);
    await Promise.all([alpha.host.peers.setServices(toBeta, boxes), beta.host.peers.setServices(toAlpha, boxes)]);
    tell("Both sites publish sso_idp and sso_sp to each other, and subscribe to them.");

    const zoe = userOf(alpha, "zoe");
    const home = await this.#logIn(alpha, this.#zoe, zoe);
    check(home.text.includes("Welcome, "), `${fullName(zoe)} logs in at ${alpha.name}, as at any web site`);
    const account = await alpha.web.users.findByUsername(zoe.username);
    const [link] = account ? await alpha.host.sso.networkServers(account) : [];
    check(
      link?.name === beta.name && home.text.includes(`hostid=${link.peer.id}`),
      `the block "Network servers" on her front page has a link to ${beta.name}`,
    );

    const jump = alpha.host.sso.linkTo(toBeta, DEEP_LINK);
    tell(`She follows ${pathOf(jump)}`);
    const calls = beta.recorded.length;
    const course = await this.#zoe.open(jump);
    const landed = course.way.at(-1);
    const token = landed?.searchParams.get("token") ?? "";
    check(
      landed?.pathname === LAND_PATH && /^[0-9a-f]{40}$/.test(token),
      `${alpha.name} sends her browser to ${pathOf(`${beta.wwwroot}${LAND_PATH}`)} with a token, ${token.slice(0, 8)}…, that only ${beta.name} can redeem`,
    );
    this.#spent = landed;
    check(
      beta.recorded.length >= calls + 2,
      `${beta.name} asks ${alpha.name} by user_authorise who it stands for, and fetches her picture by fetch_user_image`,
    );
    check(
      this.#madeAccount(beta) === true && course.url.href === beta.wwwroot + DEEP_LINK,
      `an account was made for her, and she is where she wanted to go, ${DEEP_LINK}`,
    );
    check(course.text.includes(fullName(zoe)), `the page says that ${fullName(zoe)} is logged in`);
    await this.#checkPicture(zoe);
  }

  /** Her session at the college has ended; a bookmark leads back in. */
  async comeBack(): Promise<void> {
    const { tell, check } = this.#voice;
    const [alpha, beta] = [this.#alpha, this.#beta];
    await this.#zoe.submit(beta.wwwroot + PATHS.logout);
    await this.#untilLoggedOut(alpha, "a logout at the college");
    await this.#logIn(alpha, this.#zoe, userOf(alpha, "zoe"));
    tell(`She has logged out and in again at ${alpha.name}. Now she opens a bookmark of ${beta.name}.`);

    const login = await this.#zoe.open(beta.wwwroot + DEEP_LINK);
    check(
      login.url.href === beta.wwwroot + loginPath(DEEP_LINK),
      `${beta.name} does not know her yet, and shows its login page`,
    );
    const [home] = await beta.host.sso.identityProviders(DEEP_LINK);
    check(home?.name === alpha.name, `she chooses "${home?.name ?? ""}" there, her home site`);
    const course = await this.#zoe.open(home?.href ?? beta.wwwroot);
    tell(`her browser's way: ${[...course.way, course.url].map(({ host, pathname }) => host + pathname).join(" → ")}`);
    check(
      course.url.href === beta.wwwroot + DEEP_LINK && course.way.length === 3,
      "one bounce to her home site, and she is at her bookmark",
    );
    check(this.#madeAccount(beta) === false, "with the account that she has had since the first time");
  }

  /** She leaves at home, and is out at the college. */
  async logOut(): Promise<void> {
    const { check } = this.#voice;
    const started = performance.now();
    await this.#zoe.submit(this.#alpha.wwwroot + PATHS.logout);
    const local = performance.now() - started;
    check(!(await this.#isLoggedIn(this.#alpha)), `she logs out at ${this.#alpha.name}; that took ${duration(local)}`);
    await this.#untilLoggedOut(this.#beta, "a logout at the university");
    const all = performance.now() - started;
    check(true, `${this.#beta.name} was told by kill_child, and she is logged out there, too, after ${duration(all)}`);
  }

  /** Whom a site does not send, or does not let in. */
  async refuse(): Promise<void> {
    const { check } = this.#voice;
    const [alpha, beta] = [this.#alpha, this.#beta];
    const jump = alpha.host.sso.linkTo(await alpha.host.peers.get(beta.wwwroot));
    const trial = new Visitor("Mozilla/5.0 (another browser)");
    await this.#logIn(alpha, trial, userOf(alpha, "trial"));
    const forbidden = await trial.open(jump);
    check(
      forbidden.status === 403 && forbidden.text.includes("MNET_SSO_NOT_PERMITTED"),
      "an account without the right to roam is not sent anywhere: MNET_SSO_NOT_PERMITTED",
    );
    const stolen = await trial.open(this.#spent ?? jump);
    check(
      stolen.status === 403 && stolen.text.includes("MNET_SSO_TOKEN_REFUSED"),
      "a token that somebody else's browser brings opens nothing: MNET_SSO_TOKEN_REFUSED",
    );
    const astray = new URL(jump);
    astray.searchParams.set("wantsurl", "https://evil.example/");
    await this.#logIn(alpha, this.#zoe, userOf(alpha, "zoe"));
    const kept = await this.#zoe.open(astray);
    check(kept.url.href === `${beta.wwwroot}/`, "a link that would lead on to a foreign site ends at the front page");
    await this.#zoe.submit(alpha.wwwroot + PATHS.logout);
    await this.#untilLoggedOut(beta, "the last logout");
  }

  /** The university's administrator enrols a user of hers at the college; he finds the course at home, and goes there. */
  async enrol(): Promise<void> {
    const { tell, check } = this.#voice;
    const [alpha, beta] = [this.#alpha, this.#beta];
    const boxes = { mnet_enrol: "both" } as const;
    await alpha.host.peers.setServices(await alpha.host.peers.get(beta.wwwroot), boxes);
    await beta.host.peers.setServices(await beta.host.peers.get(alpha.wwwroot), boxes);
    tell("Both sites publish mnet_enrol to each other, and subscribe to it.");

    const [admin, nikos] = [userOf(alpha, "admin"), userOf(alpha, "nikos")];
    const [office, phone] = [new Visitor("Mozilla/5.0 (an office)"), new Visitor("Mozilla/5.0 (his telephone)")];
    const course = beta.web.courses.find(COURSE);
    const title = course?.title ?? "";
    await this.#logIn(alpha, office, admin);
    const page = alpha.wwwroot + PATHS.remoteCourses;
    check(
      title !== "" && (await office.open(page)).text.includes(title),
      `${fullName(admin)}, administrator of ${alpha.name}, sees there that ${beta.name} offers "${title}"`,
    );
    const form = { peer: beta.wwwroot, course: String(COURSE), user: nikos.username, action: "enrol" };
    const answer = await office.submit(page, form);
    const there = course ? beta.web.courses.participants(course) : [];
    check(
      answer.text.includes(`${fullName(nikos)} is enrolled in ${title}.`) &&
        there.some(({ account }) => account.username === nikos.username && account.home === alpha.wwwroot),
      `she enrols ${fullName(nikos)} by enrol_user; ${beta.name} has an account for him, and he is in the course`,
    );

    const home = await this.#logIn(alpha, phone, nikos);
    const account = alpha.web.users.own(nikos.username)?.account;
    const mine = account ? await alpha.host.enrolment.coursesFor(account) : [];
    const link = mine.find(({ peer }) => peer?.wwwroot === beta.wwwroot);
    check(link !== undefined && home.text.includes(title), "he finds it at home, under My courses");
    const landed = await phone.open(link?.href ?? alpha.wwwroot);
    check(
      landed.url.href === beta.wwwroot + DEEP_LINK && landed.text.includes("You take part in this course."),
      "one click, and he is in the course, logged in",
    );
    for (const browser of [office, phone]) await browser.submit(alpha.wwwroot + PATHS.logout);
  }

  // ── Helpers ───────────────────────────────────────────────────────────────

  get #voice(): { readonly tell: (text: string) => void; readonly check: (holds: boolean, what: string) => void } {
    const narrator = this.#narrator;
    return { tell: narrator.tell.bind(narrator), check: narrator.check.bind(narrator) };
  }

  #logIn(site: DemoSite, browser: Visitor, { username, password }: OwnUser): Promise<Visited> {
    return browser.submit(site.wwwroot + PATHS.login, { username, password });
  }

  async #isLoggedIn(site: DemoSite): Promise<boolean> {
    const { url } = await this.#zoe.open(site.wwwroot + PATHS.profile);
    return url.pathname === PATHS.profile;
  }

  async #untilLoggedOut(site: DemoSite, after: string): Promise<void> {
    const since = performance.now();
    while (await this.#isLoggedIn(site)) {
      if (performance.now() - since > PATIENCE_MS) throw new DemoFailure(`${site.name} was not told of ${after}.`);
      await sleep(5);
    }
  }

  async #checkPicture({ username }: OwnUser): Promise<void> {
    const mine = await this.#alpha.web.users.findByUsername(username);
    const picture = mine && (await this.#alpha.web.users.picture(mine));
    const shown = await this.#zoe.open(this.#beta.wwwroot + PATHS.picture);
    this.#narrator.check(
      picture !== undefined && Buffer.compare(shown.bytes, picture.bytes) === 0,
      `and shows her picture, the same ${shown.bytes.length} bytes as at home`,
    );
  }

  /** Whether the last arrival there made an account. */
  #madeAccount(site: DemoSite): boolean | undefined {
    return site.events.filter((event) => event.type === "sso.landed").at(-1)?.created;
  }
}

function userOf({ web }: DemoSite, username: string): OwnUser {
  const user = web.content.users.find((one) => one.username === username);
  if (!user) throw new DemoFailure(`There is no user ${username}.`);
  return user;
}

const fullName = ({ firstname, lastname }: OwnUser): string => `${firstname} ${lastname}`;

function pathOf(address: string): string {
  const { pathname, search } = new URL(address);
  return pathname + decodeURIComponent(search);
}
