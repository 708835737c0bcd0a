import { describe, expect, it } from "vitest";
import { defineService } from "../../src/host/define-service.ts";
import { t } from "../../src/host/wire-type.ts";
import { codeOf } from "../support/code-of.ts";
import { aliceCalls, openAnswer, padded, rig, summary } from "../support/hosts.ts";
import { withResolvers } from "../support/with-resolvers.ts";

const SITE = "https://host.example/moodle";
const RPC = `${SITE}/mnet/xmlrpc/server.php`;

describe("host.fetch", () => {
  it("answers a call, and 404 for what is not MNet's", async () => {
    await using us = await rig();
    const response = await us.host.fetch(
      new Request(RPC, { method: "POST", body: aliceCalls(us, "system/listServices") }),
    );
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/xml; charset=utf-8"]);
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get("content-length")).toBe(String(body.length));
    expect(summary(openAnswer(body, us.alice))).toEqual({ form: "signed and encrypted", value: [] });
    const other = await us.host.fetch(new Request(`${SITE}/other`));
    expect([other.status, await other.text()]).toEqual([404, "Not found\n"]);
  });

  it("whatever host the URL names", async () => {
    await using us = await rig();
    const response = await us.host.fetch(new Request("http://127.0.0.1:3000/moodle/mnet/publickey.php?x=1"));
    expect(await response.text()).toBe(us.ours.certificate.pem);
  });

  it("HEAD has headers and no body", async () => {
    await using us = await rig();
    const response = await us.host.fetch(new Request(`${SITE}/mnet/publickey.php`, { method: "HEAD" }));
    expect(response.headers.get("content-length")).toBe(String(us.ours.certificate.pem.length));
    expect(await response.text()).toBe("");
  });

  it("a body that streams is read piece by piece, up to the limit", async () => {
    await using us = await rig({ limits: { requestBytes: 10_000 } });
    let pulled = 0;
    let cancelled = false;
    const stream = (whole: Buffer) =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(whole.subarray(pulled * 1000, pulled * 1000 + 1000));
          pulled += 1;
          if (pulled * 1000 >= whole.length) controller.close();
        },
        cancel() {
          cancelled = true;
        },
      });
    const send = async (length: number): Promise<Buffer> => {
      pulled = 0;
      const request = new Request(RPC, {
        method: "POST",
        body: stream(padded(aliceCalls(us, "system/listServices"), length)),
        duplex: "half",
      });
      return Buffer.from(await (await us.host.fetch(request)).arrayBuffer());
    };
    expect(summary(openAnswer(await send(10_000), us.alice)).value).toEqual([]);
    expect(cancelled).toBe(false);
    expect(summary(openAnswer(await send(1_000_000)))).toEqual({ form: "plain", fault: 7023 });
    expect(cancelled).toBe(true);
    expect(pulled).toBeLessThan(15);
  });

  it("a body that somebody has read → MNET_HTTP_BODY_CONSUMED, but only if the request is MNet's", async () => {
    await using us = await rig();
    const read = async (url: string): Promise<Request> => {
      const request = new Request(url, { method: "POST", body: "x" });
      await request.text();
      return request;
    };
    const ours = await read(RPC);
    expect(await codeOf(() => us.host.fetch(ours))).toBe("MNET_HTTP_BODY_CONSUMED");
    expect((await us.host.fetch(await read(`${SITE}/other`))).status).toBe(404);
  });

  it("a POST without a body is an empty one", async () => {
    await using us = await rig();
    const response = await us.host.fetch(new Request(RPC, { method: "POST" }));
    expect(summary(openAnswer(Buffer.from(await response.arrayBuffer())))).toEqual({ form: "plain", fault: 7021 });
  });

  it("the request's signal reaches the handler, the socket's address the events", async () => {
    const begun = withResolvers<AbortSignal>();
    const service = defineService({ name: "work", methods: { run: { returns: t.string() } } });
    const run = (_: object, { signal }: { readonly signal: AbortSignal }): Promise<string> => {
      begun.resolve(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve("ended")));
    };
    await using us = await rig({
      services: [service.implement({ run })],
      alicePeer: { services: { work: "publish" } },
    });
    const caller = new AbortController();
    const response = us.host.fetch(
      new Request(RPC, { method: "POST", body: aliceCalls(us, "work/run"), signal: caller.signal }),
    );
    const signal = await begun.promise;
    caller.abort(new Error("gone"));
    expect(signal.aborted).toBe(true);
    await response;
    await us.host.fetch(new Request(RPC, { method: "POST", body: "x" }), { remoteAddress: "192.0.2.9" });
    expect(us.told("call.refused")).toMatchObject([{ remoteAddress: "192.0.2.9" }]);
  });
});
