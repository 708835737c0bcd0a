import { Command } from "commander";
import type { XmlRpcValue } from "../../xmlrpc/value.ts";
import type { CliIo } from "../cli-io.ts";
import { printableJson } from "../printable.ts";
import { peerKeyOf, withSite, withSiteOptions, type SiteOptions } from "./open-site.ts";
import { UsageError } from "../usage-error.ts";

/** `mnet call PEER METHOD [JSON…]`: one call, whatever the method is. Audited. */
export function callCommand(io: CliIo): Command {
  return withSiteOptions(new Command("call"))
    .description("Call a method of a peer and print what it answers, as JSON.")
    .argument("<peer>", "id or wwwroot")
    .argument("<method>", "wire name, such as system/listServices")
    .argument("[params...]", "each a JSON value; what is no JSON is a string")
    .addHelpText("after", "\nExample:\n  mnet call 3 enrol/mnet/enrol.php/course_enrolments 7 '[\"student\"]'")
    .action((key: string, method: string, params: readonly string[], options: SiteOptions) =>
      withSite(options, async (host) => {
        const peer = await host.peers.get(peerKeyOf(key));
        const answer = await host.call(peer, method, params.map(readValue), { unchecked: true });
        io.stdout.write(`${printableJson(asJson(answer))}\n`);
      }),
    );
}

function readValue(text: string): XmlRpcValue {
  try {
    return JSON.parse(text) as XmlRpcValue;
  } catch {
    if (/^[[{"]/.test(text)) throw new UsageError(`${text} begins like JSON, but is none.`);
    return text;
  }
}

/** JSON has no bytes and no large integers: base64 text and decimal text. */
function asJson(value: XmlRpcValue): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return (value as readonly XmlRpcValue[]).map(asJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as object).map(([name, member]) => [name, asJson(member as XmlRpcValue)]),
  );
}
