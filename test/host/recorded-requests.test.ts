import { describe, expect, it } from "vitest";
import type { KeyPair } from "../../src/crypto/key-pair.ts";
import { decryptMessage } from "../../src/envelope/encrypted-message.ts";
import { readEnvelope } from "../../src/envelope/open.ts";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import type { XmlRpcValue } from "../../src/xmlrpc/value.ts";
import { exchangeNames, RECORDINGS } from "../support/fixtures.ts";
import { isSignedBy, openAnswer, post, rig, wrap, type Form } from "../support/hosts.ts";
import {
  keyOf,
  keysOf,
  recordedReceiver,
  recordedRequest,
  type RecordedRequest,
} from "../support/recorded-exchange.ts";

/** Every method of a real peer, with as many parameters as anybody sends. */
const TEXT = "Zoë Ångström 日本 <&>\n";
const anything = {
  params: Object.fromEntries("abcdef".split("").map((name) => [name, t.value().optional()])),
  returns: t.value(),
};
const methods = (path: string, names: string) => {
  const list = names.split(" ");
  const service = defineService({
    name: path.replace(/\W/g, ""),
    path,
    methods: Object.fromEntries(list.map((name) => [name, anything])),
  });
  return service.implement(Object.fromEntries(list.map((name) => [name, (): XmlRpcValue => ({ name: TEXT })])));
};
const services = [
  methods(
    "auth/mnet/auth.php",
    "user_authorise update_enrolments keepalive_server keepalive_client kill_children kill_child refresh_log fetch_user_image fetch_theme_info",
  ),
  methods("enrol/mnet/enrol.php", "available_courses user_enrolments enrol_user unenrol_user course_enrolments"),
  methods(
    "mod/mahara/rpclib.php",
    "get_groups_for_user get_views_for_user get_watchlist_for_user release_submitted_view submit_view_for_assessment",
  ),
  methods("portfolio/mahara/lib.php", "send_content_intent send_content_ready"),
  methods("local/mahara/mnetlib.php", "can_view_view"),
];
const flags = Object.fromEntries(services.map(({ name }) => [name, "publish" as const]));

/**
 * Where this library answers otherwise than the recorded site, or the site's answer was the method's own:
 * a fault code, or `served`.
 */
const DIFFERENTLY: Readonly<Record<string, number | "served">> = {
  // Not published to the peer by that Moodle's administrator; here everything is.
  "087-fault-707-not-published": "served",
  "090-fault-707-rpc-disabled": "served",
  // Moodle lets another site sign than the one that encrypts (H-12, SEC-031).
  "102-quirk-inner-wwwroot-differs": 710,
  // The name outside decides who is asked for a key; Mahara looks at the one inside only.
  "ok.mixed-wwwroot": 7020,
  // Moodle answers what it cannot read with a page and 404.
  "095-fault-corrupt-ciphertext-key-ok": 7023,
  "129-fault-encrypted-inner-not-xml": 7023,
  "130-fault-signed-inner-not-xml": 7021,
  "132-fault-empty-body": 7021,
  "146-type-unknown-type-param": 7021,
  // Listed as unknown, not as an internal error (MNET-086).
  "117-fault-7019-system-listFiles": 7018,
  "118-fault-system-retrieveFile": 7018,
  // Handlers here take any type and any number of parameters.
  "119-fault-wrong-param-type": "served",
  "120-fault-too-few-params": "served",
  "142-type-empty-struct-param": "served",
  "143-type-self-closed-array-param": "served",
  // No machine is trusted (MNET-008).
  "155-trusted-plaintext-signed": 7021,
  // Networking is on.
  "158-dispatcher-off": "served",
  "fault.networking-off": "served",
  // What Mahara says in other numbers, or with code 0.
  "auth.update_mnethosts": 7012,
  "fault.7025-unknown-key": 7023,
  "fault.bad-method-name": 713,
  "fault.bad-signature": 710,
  "fault.sha256-signature": 710,
  "system.listServices-new-peer-key": "served",
  "fault.empty-body": 7021,
  "fault.not-xml": 7021,
  "fault.encrypted-not-xml": 7023,
  "fault.signed-not-xml": 7021,
  "fault.encrypted-only": 711,
  "fault.method-one-word": 713,
  "fault.no-such-method": 7012,
  "fault.stranger-after-keyswap": 7020,
  "promiscuous.listServices": 7020,
  "system.capabilities": 7018,
  // Compared exactly here; Mahara drops the slash (MNET-002).
  "ok.trailing-slash-wwwroot": 7020,
  // No name of a method at all, sent by Mahara for one that it does not like.
  "out.dotted": 713,
};

/** A fault that comes of a method, not of the way to it. */
const isOfMethod = (code: number): boolean => code < 700 || (code >= 5000 && code < 6000);

function expectation({ name, method, faultCode }: RecordedRequest): number | "served" {
  const differently = DIFFERENTLY[name];
  if (differently !== undefined) return differently;
  if (method?.startsWith("repository/")) return 7012;
  return faultCode === null || isOfMethod(faultCode) ? "served" : faultCode;
}

const requests = RECORDINGS.flatMap((recording) =>
  exchangeNames(recording).map((name) => recordedRequest(recording, name)),
);

const formOf = ({ request: { bodyBase64, signedXml } }: RecordedRequest): Form => {
  const body = Buffer.from(bodyBase64 ?? "", "base64").toString("latin1");
  if (!body.includes("<encryptedMessage")) return body.includes("<signedMessage") ? "signed" : "plain";
  return signedXml?.includes("SignatureValue") ? "signed and encrypted" : "encrypted";
};

describe("requests that real sites sent", () => {
  it("there are more than two hundred, of every kind", () => {
    expect(requests.length).toBeGreaterThan(200);
    expect(new Set(requests.map(formOf)).size).toBe(4);
    for (const name of Object.keys(DIFFERENTLY)) expect(requests.map((recorded) => recorded.name)).toContain(name);
  });

  it.each(requests.map((recorded) => [`${recorded.recording}/${recorded.name}`, recorded] as const))(
    "MNET-069 MNET-070 %s is answered as it should be, in kind",
    async (_, recorded) => {
      const { host } = await recordedReceiver(recorded, { services, flags });
      const body = await post(host, Buffer.from(recorded.request.bodyBase64 ?? "", "base64"));
      const sender = recorded.from === null ? undefined : keyOf(recorded, recorded.from);
      const answer = openAnswer(body, sender && { key: sender });
      const { decoded } = answer;
      const outcome = decoded.kind === "fault" ? decoded.faultCode : "served";
      expect(outcome).toBe(expectation(recorded));

      const isInClear = outcome === 7020 || outcome === 7023;
      expect(answer.form).toBe(isInClear ? "plain" : formOf(recorded));
      if (answer.signed && outcome !== 7025) expect(isSignedBy(answer, keyOf(recorded, recorded.to))).toBe(true);
      await host.close();
    },
  );
});

const opens = (bodyBase64: string, key: KeyPair): boolean => {
  const envelope = readEnvelope(Buffer.from(bodyBase64, "base64"));
  if (envelope.kind !== "encrypted") throw new Error("The answer is not encrypted.");
  try {
    return decryptMessage(envelope.message, [key]).openedWith === key;
  } catch {
    return false;
  }
};

describe("7025, as it was recorded", () => {
  it.each(
    requests.filter((recorded) => expectation(recorded) === 7025).map((recorded) => [recorded.name, recorded] as const),
  )(
    "MNET-079 MNET-080 %s: the certificate that the recorded site sent, signed with the same old key",
    async (_, recorded) => {
      const { host } = await recordedReceiver(recorded);
      const reader = { key: keyOf(recorded, recorded.from!) };
      const answer = openAnswer(await post(host, Buffer.from(recorded.request.bodyBase64!, "base64")), reader);
      const theirs = openAnswer(Buffer.from(recorded.response.bodyBase64!, "base64"), {
        key: keysOf(recorded, recorded.from!).find((key) => opens(recorded.response.bodyBase64!, key))!,
      });
      expect(answer.decoded).toMatchObject({ kind: "fault", faultCode: 7025 });
      expect(answer.decoded).toHaveProperty("faultString", (theirs.decoded as { faultString: string }).faultString);
      expect(isSignedBy(answer, keyOf(recorded, recorded.to))).toBe(false);
      // The key that signs is the one that a Moodle signed with; a Mahara signs with its new one (SEC-039).
      const isMahara = recorded.to.includes("mahara");
      const signers = keysOf(recorded, recorded.to).map((key) => [isSignedBy(answer, key), isSignedBy(theirs, key)]);
      expect(signers.filter(([ours]) => ours)).toEqual([[true, !isMahara]]);
      await host.close();
    },
  );
});

describe("text in answers", () => {
  /** What the answer holds for `TEXT`, and what it declares. */
  async function answeredText(recording: RecordedRequest["recording"], name: string) {
    const recorded = recordedRequest(recording, name);
    const { host } = await recordedReceiver(recorded, { services, flags });
    const body = await post(host, Buffer.from(recorded.request.bodyBase64!, "base64"));
    const { document, decoded } = openAnswer(body, { key: keyOf(recorded, recorded.from!) });
    await host.close();
    const xml = document.toString("latin1");
    return { declaration: xml.slice(0, xml.indexOf("\n")), text: /<string>([^]*?)<\/string>/.exec(xml)?.[1], decoded };
  }

  it.each([
    ["moodle-3.11", "009-d-calls-a-user_authorise-student1"],
    ["moodle-3.11", "022-d-calls-a-available_courses"],
    ["mahara-23.04", "out.sso-land"],
    ["mahara-23.04", "out.can_view_view"],
  ] as const)("MNET-063 the requester of %s/%s gets a reference to each byte", async (recording, name) => {
    const { declaration, text, decoded } = await answeredText(recording, name);
    expect(declaration).toBe('<?xml version="1.0" encoding="utf-8"?>');
    expect(text).toContain("Zo&#195;&#171; &#195;&#133;ngstr&#195;&#182;m &#230;&#151;&#165;&#230;&#156;&#172;");
    expect(decoded).toMatchObject({ value: { name: TEXT } });
  });

  it.each([
    ["moodle-4.5", "026-sso-student1-first-landing"],
    ["moodle-4.2-https", "008-a-calls-c-user_authorise-student1"],
  ] as const)("MNET-064 the requester of %s/%s gets characters", async (recording, name) => {
    const { declaration, text, decoded } = await answeredText(recording, name);
    expect(declaration).toBe('<?xml version="1.0"?>');
    expect(text).toContain("Zo&#235; &#197;ngstr&#246;m &#26085;&#26412;");
    expect(decoded).toMatchObject({ value: { name: TEXT } });
  });

  it("MNET-063 the dialect of a peer is remembered for what tells none, until a message tells another", async () => {
    const service = defineService({ name: "text", methods: { give: { returns: t.string() } } });
    await using us = await rig({
      services: [service.implement({ give: () => "ë" })],
      alicePeer: { services: { text: "publish" } },
    });
    const call = "<methodCall><methodName>text/give</methodName><params/></methodCall>";
    const answerTo = async (declaration: string): Promise<string | undefined> => {
      const body = await post(us.host, wrap(declaration + call, { from: us.alice, to: us.ours }));
      // What was learnt is written in the background.
      await us.clock.advance(60_000);
      return /<string>(.*)<\/string>/.exec(openAnswer(body, us.alice).document.toString())?.[1];
    };
    expect(await answerTo("")).toBe("&#235;");
    expect(await answerTo('<?xml version="1.0" encoding="utf-8"?>')).toBe("&#195;&#171;");
    expect(await answerTo("")).toBe("&#195;&#171;");
    expect((await us.store.peers.find(us.aliceId))?.dialect).toBe("epi");
    expect(await answerTo('<?xml version="1.0" encoding="utf-8" ?>')).toBe("&#235;");
    expect(await answerTo("")).toBe("&#235;");
  });
});
