/**
 * What does the secure profile cost (docs/secure-profile.md)?
 *
 * `npm run bench:secure-profile [calls]`. It takes half a minute, and exits with 1 if a call with 1 KB each way costs
 * more than three times as much as in MNet's own profile.
 *
 * Two hosts in one process, with keys of 2048 bits and memory stores, call each other without a network: what is measured
 * is everything that a call costs the two. Calls in the two profiles take turns, so that what else the machine does
 * meets both alike; medians are compared.
 */
import { createHost, defineService, t, type Host, type Transport } from "../src/index.ts";
import { memoryStore } from "../src/stores.ts";

const CALLS = Number(process.argv[2] ?? 600);
const WARM_UP = 200;
const LARGEST_RATIO = 3;
const SIZES = [64, 1024, 16 * 1024];
const PROFILES = ["mnet", "secure"] as const;
type Profile = (typeof PROFILES)[number];

const echo = defineService({
  name: "echo",
  methods: { echo: { params: { text: t.string() }, returns: t.string() } },
});

const hosts = new Map<string, Host>();
const transport: Transport = {
  async exchange({ method, url, headers, body = new Uint8Array(), signal }) {
    const request = { method, path: url.pathname, headers, body, remoteAddress: "127.0.0.1", signal };
    const response = await hosts.get(url.origin)?.handle(request);
    if (!response) throw new Error(`There is nothing at ${url.href}.`);
    return { status: response.status, headers: Object.fromEntries(response.headers), body: response.body };
  },
};

async function site(name: string): Promise<Host> {
  const wwwroot = `https://${name}.example`;
  const services = [echo.implement({ echo: ({ text }) => text })];
  const host = await createHost({ wwwroot, name, store: memoryStore(), services, transport, maintenance: "manual" });
  hosts.set(wwwroot, host);
  return host;
}

/** Two hosts that speak one profile, and a call from one to the other that takes so many milliseconds. */
async function pair(profile: Profile): Promise<(text: string) => Promise<number>> {
  const [a, b] = [await site(`${profile}-a`), await site(`${profile}-b`)];
  const [toB, toA] = [await a.peers.add(b.wwwroot), await b.peers.add(a.wwwroot)];
  await a.peers.setServices(toB, { echo: "subscribe" });
  await b.peers.setServices(toA, { echo: "publish" });
  if (profile === "secure") await a.peers.refresh(toB);
  const used = (await a.peers.get(b.wwwroot)).profile;
  if (used.startsWith(profile)) {
    return async (text) => {
      const started = performance.now();
      await a.call(toB, echo.methods.echo, { text });
      return performance.now() - started;
    };
  }
  throw new Error(`The hosts use ${used}.`);
}

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[values.length >> 1] ?? NaN;

const calls = { mnet: await pair("mnet"), secure: await pair("secure") };
let failed = false;
for (const size of SIZES) {
  const text = "a".repeat(size);
  const times: Record<Profile, number[]> = { mnet: [], secure: [] };
  for (let turn = 0; turn < WARM_UP + CALLS; turn += 1) {
    for (const profile of PROFILES) {
      const ms = await calls[profile](text);
      if (turn >= WARM_UP) times[profile].push(ms);
    }
  }
  const [mnet, secure] = [median(times.mnet), median(times.secure)];
  const ratio = secure / mnet;
  console.log(
    `${size} bytes each way: mnet ${mnet.toFixed(2)} ms, secure ${secure.toFixed(2)} ms, ratio ${ratio.toFixed(2)}`,
  );
  if (size === 1024 && !(ratio <= LARGEST_RATIO)) failed = true;
}
await Promise.all([...hosts.values()].map((host) => host.close()));
if (failed) {
  console.log(`More than ${LARGEST_RATIO} at 1 KB.`);
  process.exitCode = 1;
}
