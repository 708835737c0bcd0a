import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { collegeServices, universityServices } from "../../src/cli/demo/demo-services.ts";
import { DemoSite, type DemoSiteOptions } from "../../src/cli/demo/demo-site.ts";
import { collegeContent, universityContent } from "../../src/cli/demo/web/site-content.ts";

const BOXES = { sso_idp: "both", sso_sp: "both", mnet_enrol: "both" } as const;

/** The two sites of the demo, which know each other, take each other's users and offer each other their courses. */
export interface TwoSites extends AsyncDisposable {
  readonly alpha: DemoSite;
  readonly beta: DemoSite;
}

/** Starts them on free ports, or on the one given and the next. */
export async function twoSites({
  asking = {},
  port = 0,
}: { readonly asking?: DemoSiteOptions["asking"]; readonly port?: number } = {}): Promise<TwoSites> {
  const folder = await mkdtemp(join(tmpdir(), "mnet-browser-"));
  const open = (options: Omit<DemoSiteOptions, "file" | "asking">): Promise<DemoSite> =>
    DemoSite.open({ ...options, file: join(folder, `${options.name}.db`), asking });
  const alpha = await open({
    name: "Alpha University",
    port,
    services: universityServices,
    content: universityContent,
  });
  const beta = await open({
    name: "Beta College",
    port: port === 0 ? 0 : alpha.port + 1,
    services: collegeServices,
    content: collegeContent,
  });
  const [toBeta, toAlpha] = await Promise.all([alpha.host.peers.add(beta.wwwroot), beta.host.peers.add(alpha.wwwroot)]);
  await alpha.host.peers.setServices(toBeta, BOXES);
  await beta.host.peers.setServices(toAlpha, BOXES);
  return {
    alpha,
    beta,
    async [Symbol.asyncDispose]() {
      await Promise.all([alpha, beta].map((site) => site[Symbol.asyncDispose]()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
