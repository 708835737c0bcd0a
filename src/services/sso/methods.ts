import { describeMethod } from "../../host/method.ts";
import { t } from "../../host/wire-type.ts";

/** Names of the two services, as in `peers.setServices` (spec 1.3). */
export const IDP = "sso_idp";
export const SP = "sso_sp";

const path = "auth/mnet/auth.php";
const username = t.string().describe("Name of the user at her home site.");
const userAgent = t.string().describe("SHA-1 of the browser's User-Agent header, in hex.");

/** Methods of a home site, that sites which her users visit call (spec 9.5, 9.8–9.10). */
export const idpMethods = {
  user_authorise: describeMethod(IDP, `${path}/user_authorise`, {
    help: "Tells who a browser's token stands for.",
    params: { token: t.string().describe("The token that the browser brought."), useragent: userAgent },
    returns: t.value().describe("The user: the columns that may travel to the caller."),
  }),
  fetch_user_image: describeMethod(IDP, `${path}/fetch_user_image`, {
    help: "A user's picture.",
    params: { username },
    returns: t
      .value()
      .describe("f1 and f2 in base64 with their types; an empty list without a picture; false for an unknown user."),
  }),
  update_enrolments: describeMethod(IDP, `${path}/update_enrolments`, {
    help: "Tells in which courses of the caller a user is.",
    params: { username, courses: t.value().describe("The courses, as available_courses describes them.") },
    returns: t.value().describe("True, or nothing."),
  }),
  keepalive_server: describeMethod(IDP, `${path}/keepalive_server`, {
    help: "Keeps the sessions of users alive who are active at the caller.",
    params: { array: t.list(t.string()).describe("Names of the users.") },
    returns: t.struct({ code: t.int(), message: t.string(), "last log id": t.string() }),
  }),
  kill_children: describeMethod(IDP, `${path}/kill_children`, {
    help: "A user has logged out at the caller: ends her session here and at the other sites.",
    params: { username, useragent: userAgent },
    returns: t.value().describe("What was done, in words."),
  }),
  refresh_log: describeMethod(IDP, `${path}/refresh_log`, {
    help: "Takes a user's log of another site. Nothing is kept.",
    params: { array: t.value().describe("The entries.") },
    returns: t.struct({ code: t.int(), message: t.string() }),
  }),
  fetch_theme_info: describeMethod(IDP, `${path}/fetch_theme_info`, {
    help: "How this site looks.",
    returns: t.struct({ themename: t.string(), logourl: t.string() }),
  }),
} as const;

/** Methods of a site that is visited, that the visitors' home sites call (spec 9.10). */
export const spMethods = {
  kill_child: describeMethod(SP, `${path}/kill_child`, {
    help: "A user has logged out elsewhere: ends her session here.",
    params: { username, useragent: userAgent },
    returns: t.value().describe("Whether there was one."),
  }),
  keepalive_client: describeMethod(SP, `${path}/keepalive_client`, {
    help: "Asks for a keepalive_server call now.",
    returns: t.value().describe("True."),
  }),
} as const;
