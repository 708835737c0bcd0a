import { describe, expect, it } from "vitest";
import type { Picture } from "../../../src/plug-ins/account.ts";
import { sso } from "../../../src/services/sso/sso.ts";
import { hashOfToken } from "../../../src/services/sso/tokens.ts";
import { fakeClock } from "../../../src/testing/fake-clock.ts";
import { memoryAccounts, type MemoryUser } from "../../../src/testing/memory-accounts.ts";
import { memorySessions } from "../../../src/testing/memory-sessions.ts";
import type { XmlRpcDocument } from "../../../src/xmlrpc/document.ts";
import type { XmlRpcStruct, XmlRpcValue } from "../../../src/xmlrpc/value.ts";
import type { Recording } from "../../support/fixtures.ts";
import { openAnswer, post } from "../../support/hosts.ts";
import { keyOf, recordedReceiver, recordedRequest } from "../../support/recorded-exchange.ts";

/** Columns that the recorded sites export. */
const EXPORTED =
  "idnumber phone1 institution department address city country lang timezone picture description mailformat maildigest maildisplay".split(
    " ",
  );
const common = {
  institution: "Inst & Co",
  department: "",
  timezone: "99",
  lang: "en",
  other: { phone1: "", address: "", mailformat: "1", maildigest: "0", maildisplay: "2" },
};
/** The users of the recorded Moodle. */
const STUDENTS: readonly MemoryUser[] = [
  {
    ...common,
    username: "student1",
    idnumber: "A-STUDENT1",
    firstname: "Zoë",
    lastname: "Ångström 日本",
    email: "zoe-a@example.test",
    city: "Zürich",
    country: "CH",
    description: "<p>Hé & <b>bold</b> \"quoted\" 'single' 日本語 😀</p>",
  },
  {
    ...common,
    username: "student2",
    idnumber: "A-STUDENT2",
    firstname: "Pat",
    lastname: "O'Picture",
    email: "pat-a@example.test",
    city: "Wellington",
    country: "NZ",
    description: "",
  },
];

function valueOrFault(decoded: XmlRpcDocument): XmlRpcValue {
  if (decoded.kind === "call") throw new Error("An answer was expected.");
  if (decoded.kind === "result") return decoded.value;
  const { faultCode, faultString } = decoded;
  return { faultCode, faultString };
}

const answerRecorded = (recording: Recording, name: string): XmlRpcValue => {
  const recorded = recordedRequest(recording, name);
  const { decoded } = openAnswer(Buffer.from(recorded.response.bodyBase64!, "base64"), {
    key: keyOf(recorded, recorded.from!),
  });
  return valueOrFault(decoded);
};

interface Circumstances {
  /** She is at the caller, with the recorded browser. */
  readonly session?: { readonly username: string; readonly userAgentHash: string };
  /** The caller may redeem it. */
  readonly token?: {
    readonly token: string;
    readonly username: string;
    readonly userAgentHash: string;
    readonly expiresAt?: number;
  };
  readonly picture?: Picture;
  /** Courses at the caller that she is known to be in. */
  readonly remoteCourses?: readonly number[];
}

/** What this library answers to a recorded request, with the recorded site's users. */
async function answerOf(recording: Recording, name: string, circumstances: Circumstances = {}): Promise<XmlRpcValue> {
  const recorded = recordedRequest(recording, name);
  const clock = fakeClock(new Date(1795288809 * 1000));
  const accounts = memoryAccounts(STUDENTS, { clock });
  const accountOf = async (username: string): Promise<string> =>
    (await accounts.findByUsername(username))?.id ?? "nobody";
  const { picture, session, token, remoteCourses } = circumstances;
  if (picture) await accounts.setPicture((await accounts.findByUsername("student2"))!, picture);
  const { host, store, now } = await recordedReceiver(recorded, {
    services: [sso({ accounts, sessions: memorySessions(), enrolments: { ofAccount: async () => [] } })],
    flags: { sso_idp: "publish", sso_sp: "publish" },
  });
  const peer = await host.peers.get(recorded.from!);
  await host.peers.set(peer, { exportFields: EXPORTED });
  const at = session ?? token;
  if (at) {
    await store.sessions.save({
      username: at.username,
      userAgentHash: at.userAgentHash,
      role: "idp",
      peer: peer.id,
      accountId: await accountOf(at.username),
      sessionId: "s1",
      startedAt: now,
      expiresAt: now + 60_000,
    });
  }
  if (token) {
    await store.tokens.issue({
      hash: hashOfToken(token.token),
      peer: peer.id,
      accountId: await accountOf(token.username),
      sessionId: "s1",
      userAgentHash: token.userAgentHash,
      expiresAt: token.expiresAt ?? now + 30_000,
    });
  }
  if (remoteCourses) {
    await store.remoteCourses.replaceCourses(
      peer.id,
      remoteCourses.map((id) => ({ id, fields: {} })),
      now,
    );
    await store.remoteCourses.replaceUser(
      peer.id,
      "student1",
      remoteCourses.map((course) => ({ course, roleName: "", method: "mnet" })),
    );
  }
  const answer = openAnswer(await post(host, Buffer.from(recorded.request.bodyBase64!, "base64")), {
    key: keyOf(recorded, recorded.from!),
  });
  await host.close();
  const { decoded } = answer;
  return valueOrFault(decoded);
}

const HASH = "c47a818eaccd05cb946db184d5e60d17d48f1e41";
const LANDING = "6f36d926621939176bfc17886e896257bfad0f12";

describe("user_authorise, as it was recorded", () => {
  it.each([
    ["moodle-4.5", "026-sso-student1-first-landing", "bd1dbde964e8725d514d2acd132ce3a46471e420", LANDING],
    [
      "moodle-4.5",
      "027-sso-student1-second-empty-enrolments-landing",
      "147b877e23e989fd202d127aac198a8e2d4aa277",
      LANDING,
    ],
    ["moodle-3.11", "009-d-calls-a-user_authorise-student1", "5555555555555555555555555555555555555555", HASH],
    ["moodle-3.11", "025-sso-student1-a-to-d", "bbd5854dede21fba843946698d5c3d498ed5cef4", LANDING],
    ["moodle-3.11", "027-sso-student1-a-to-d-again", "19aaaea151e9d88079f84acab17e290a549b8b67", LANDING],
  ] as const)(
    "MNET-112 MNET-113 %s/%s: the same user, field by field",
    async (recording, name, token, userAgentHash) => {
      const ours = await answerOf(recording, name, { token: { token, username: "student1", userAgentHash } });
      expect(ours).toEqual(answerRecorded(recording, name));
    },
  );

  it("MNET-113 with courses at the caller, which are in myhosts", async () => {
    const name = "049-user_authorise-student1-nonascii";
    const ours = (await answerOf("moodle-4.5", name, {
      token: { token: "1".repeat(40), username: "student1", userAgentHash: HASH },
      remoteCourses: [2, 3],
    })) as XmlRpcStruct;
    const theirs = answerRecorded("moodle-4.5", name) as XmlRpcStruct;
    // The name and number of the peer are the site's own.
    const url = `${recordedRequest("moodle-4.5", name).to}/auth/mnet/jump.php?hostid=1`;
    expect(ours).toEqual({ ...theirs, myhosts: [{ name: "A peer", url, count: "2" }] });
    expect(theirs["myhosts"]).toEqual([
      {
        name: expect.any(String) as string,
        url: expect.stringMatching(/jump\.php\?hostid=\d+$/) as string,
        count: "2",
      },
    ]);
  });

  it("MNET-113 MNET-117 with a picture: when it was changed, and its type", async () => {
    const name = "051-user_authorise-student2-picture";
    const ours = (await answerOf("moodle-4.5", name, {
      token: { token: "2".repeat(40), username: "student2", userAgentHash: HASH },
      picture: { bytes: Buffer.from("x"), type: "image/png" },
    })) as XmlRpcStruct;
    // Moodle's number of the picture means "there is one".
    expect({ ...ours, picture: "6" }).toEqual(answerRecorded("moodle-4.5", name));
    expect(Number(ours["picture"])).toBeGreaterThan(0);
  });

  it("MNET-112 fault 1: an unknown token", async () => {
    const name = "052-user_authorise-fault-1-wrong-token";
    expect(await answerOf("moodle-4.5", name)).toEqual(answerRecorded("moodle-4.5", name));
  });

  it("MNET-112 fault 1: a token that was used up", async () => {
    const name = "050-user_authorise-student1-second-use-of-token";
    const recorded = recordedRequest("moodle-4.5", name);
    // Moodle answers a second time, whenever it comes (H-13); here that ends with the grace.
    expect(answerRecorded("moodle-4.5", name)).toHaveProperty("username", "student1");
    const answered = await answerOf("moodle-4.5", name, {
      token: { token: "1".repeat(40), username: "student1", userAgentHash: HASH },
    });
    expect(recorded.method).toBe("auth/mnet/auth.php/user_authorise");
    expect(answered).toHaveProperty("username", "student1");
  });

  it("MNET-112 fault 3: the account is gone", async () => {
    const name = "055-user_authorise-fault-3-user-mismatch";
    const ours = await answerOf("moodle-4.5", name, {
      token: { token: "3".repeat(40), username: "gone", userAgentHash: HASH },
    });
    expect(ours).toEqual(answerRecorded("moodle-4.5", name));
  });

  it("MNET-112 fault 2: too late", async () => {
    const ours = await answerOf("moodle-4.5", "049-user_authorise-student1-nonascii", {
      token: { token: "1".repeat(40), username: "student1", userAgentHash: HASH, expiresAt: 1 },
    });
    expect(ours).toMatchObject({ faultCode: 2, faultString: "Authorisation failed: the mnet session has timed out." });
  });

  it("MNET-130 fault 17: a parameter is missing", async () => {
    const name = "120-fault-too-few-params";
    expect(await answerOf("moodle-4.5", name)).toEqual(answerRecorded("moodle-4.5", name));
  });

  it("MNET-112 asked by a Mahara", async () => {
    const name = "out.sso-land";
    const ours = (await answerOf("mahara-23.04", name, {
      token: { token: "tok-bob", username: "student1", userAgentHash: "51faf60399b60befe9b31e4c73eb907577f479a9" },
    })) as XmlRpcStruct;
    expect(ours).toMatchObject({ username: "student1", firstname: "Zoë", auth: "mnet", city: "Zürich", myhosts: [] });
  });
});

describe("fetch_user_image, as it was recorded", () => {
  it("MNET-117 two sizes with their types", async () => {
    const name = "056-fetch_user_image-with-picture";
    const theirs = answerRecorded("moodle-4.5", name) as Readonly<Record<string, string>>;
    const ours = (await answerOf("moodle-4.5", name, {
      session: { username: "student2", userAgentHash: HASH },
      picture: { bytes: Buffer.from(theirs["f1"]!, "base64"), type: "image/png" },
    })) as XmlRpcStruct;
    // One size here: what Moodle cut to 35 pixels is the same picture.
    expect(ours).toEqual({ ...theirs, f2: theirs["f1"] });
  });

  it("MNET-117 no picture is an empty list", async () => {
    expect(
      await answerOf("moodle-4.5", "056-fetch_user_image-with-picture", {
        session: { username: "student2", userAgentHash: HASH },
      }),
    ).toEqual([]);
  });

  it.each(["058-fetch_user_image-unknown-user", "124-quirk-iso-8859-1-declared-utf8-bytes", "135-type-i4-param"])(
    "MNET-117 %s: false for an unknown user",
    async (name) => {
      expect(await answerOf("moodle-4.5", name)).toBe(false);
      expect(answerRecorded("moodle-4.5", name)).toBe(false);
    },
  );

  it("SEC-066 a user who has nothing to do with the caller is as good as unknown", async () => {
    const picture = { bytes: Buffer.from("x"), type: "image/png" } as const;
    expect(await answerOf("moodle-4.5", "056-fetch_user_image-with-picture", { picture })).toBe(false);
  });
});

describe("other methods, as they were recorded", () => {
  const first = { session: { username: "student1", userAgentHash: LANDING } };
  const second = { session: { username: "student2", userAgentHash: LANDING } };

  it.each([
    ["MNET-118", "moodle-4.5", "060-update_enrolments-empty", first],
    ["MNET-118", "moodle-4.5", "062-update_enrolments-nonempty-int-ids", first],
    ["MNET-118", "moodle-4.5", "028-sso-student1-second-empty-enrolments-landing", first],
    ["MNET-118", "moodle-3.11", "026-sso-student1-a-to-d", first],
    ["MNET-118 SEC-067", "moodle-3.11", "015-a-calls-d-update_enrolments-empty", {}],
    ["MNET-119", "moodle-4.5", "047-kill_children-unknown-user", {}],
    ["MNET-119", "moodle-4.5", "048-kill_children-known", first],
    ["MNET-119", "moodle-4.5", "044-kill_children-natural-logout-at-sp", second],
    ["MNET-120", "moodle-4.5", "046-kill_child-unknown", {}],
    ["MNET-120", "mahara-23.04", "auth.kill_child-unknown", {}],
    ["MNET-121", "moodle-4.5", "040-keepalive_server-unknown", {}],
    ["MNET-122", "moodle-4.5", "063-refresh_log", {}],
  ] as const)("%s %s/%s is answered alike", async (_, recording, name, circumstances) => {
    expect(await answerOf(recording, name, circumstances)).toEqual(answerRecorded(recording, name));
  });

  it("fetch_theme_info has the members that were recorded", async () => {
    const theirs = answerRecorded("moodle-4.5", "059-fetch_theme_info") as XmlRpcStruct;
    const ours = (await answerOf("moodle-4.5", "059-fetch_theme_info")) as XmlRpcStruct;
    expect(Object.keys(ours)).toEqual(Object.keys(theirs));
  });

  it("the two services list the recorded methods", async () => {
    for (const name of ["005-system-listMethods-sso_idp"]) {
      const theirs = answerRecorded("moodle-4.5", name) as readonly string[];
      const ours = (await answerOf("moodle-4.5", name)) as readonly string[];
      expect([...ours].sort()).toEqual([...theirs].sort());
    }
  });
});
