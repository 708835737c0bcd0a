import { escapeXml } from "../../src/xml/escape.ts";

/** What the profiler of V8 writes (`--cpu-prof`, `Profiler.stop`). */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Node that was on top of the stack, one for each sample. */
  readonly samples: readonly number[];
  /** Microseconds from the sample before to this one. */
  readonly timeDeltas: readonly number[];
}

/** Whose code it is; decides about the colour. */
export type Owner = "rsa" | "library" | "dependency" | "node" | "engine";

/** A function, where all calls from one stack are one. */
export interface Flame {
  readonly name: string;
  readonly owner: Owner;
  /** Microseconds in it and in what it calls. */
  time: number;
  readonly children: Map<string, Flame>;
}

/** Merges the samples of a profile by their stacks. Idle time is left out. */
export function flameOf(profile: CpuProfile): Flame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const root: Flame = { name: "a call", owner: "engine", time: 0, children: new Map() };
  profile.samples.forEach((sample, n) => {
    const time = profile.timeDeltas[n] ?? 0;
    const stack: Pick<Flame, "name" | "owner">[] = [];
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const frame = nodes.get(id)?.callFrame;
      if (frame && frame.functionName !== "(root)") stack.unshift(describe(frame));
    }
    if (stack[0]?.name === "(idle)") return;
    root.time += time;
    let at = root;
    for (const { name, owner: whose } of stack) {
      // What node:crypto calls for RSA is OpenSSL.
      const owner = whose === "engine" && at.owner === "rsa" ? "rsa" : whose;
      const key = `${owner} ${name}`;
      let child = at.children.get(key);
      if (!child) at.children.set(key, (child = { name, owner, time: 0, children: new Map() }));
      child.time += time;
      at = child;
    }
  });
  return root;
}

/** Node's functions for RSA are told by where they stand; one of them has no name. */
function describe({ functionName, url }: CpuProfile["nodes"][number]["callFrame"]): Pick<Flame, "name" | "owner"> {
  if (url.startsWith("node:internal/crypto/cipher")) return { name: "RSA: unwrap, wrap", owner: "rsa" };
  if (functionName === "signOneShot") return { name: "RSA: sign", owner: "rsa" };
  if (functionName === "verifyOneShot") return { name: "RSA: verify", owner: "rsa" };
  const file = url.slice(url.lastIndexOf("/") + 1).replace(/\.js$/, ".ts");
  const name = functionName === "" ? `(a function in ${file})` : functionName;
  if (url === "") return { name, owner: "engine" };
  if (url.startsWith("node:")) return { name, owner: "node" };
  return { name, owner: url.includes("/node_modules/") ? "dependency" : "library" };
}

const WIDTH = 1200;
const ROW = 18;
const MARGIN = 12;
const HEAD = 62;
/** Of the whole; what is narrower cannot be seen. */
const NARROWEST = 0.001;
const CHARACTER = 6.2;
const LEGEND: Readonly<Record<Owner, string>> = {
  rsa: "RSA (OpenSSL)",
  library: "this library",
  dependency: "dependencies",
  node: "Node.js",
  engine: "native code, collecting garbage",
};

/** Draws a flame graph: width is time, callers stand below, what they call above them. */
export function flameSvg(flame: Flame, title: string): string {
  const depth = depthOf(flame, flame.time);
  const height = HEAD + depth * ROW + MARGIN;
  const rects: string[] = [];
  const draw = (frame: Flame, x: number, level: number): void => {
    const width = (frame.time / flame.time) * (WIDTH - 2 * MARGIN);
    const y = height - MARGIN - (level + 1) * ROW;
    const share = `${((100 * frame.time) / flame.time).toFixed(1)} %`;
    const fits = Math.floor((width - 6) / CHARACTER);
    const label = fits < 3 ? "" : frame.name.length <= fits ? frame.name : `${frame.name.slice(0, fits - 1)}…`;
    rects.push(
      `<g class="${frame.owner}"><title>${escapeXml(frame.name)}: ${share}</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(width - 0.5, 0.5).toFixed(1)}" height="${ROW - 1}" rx="1"/>` +
        (label && `<text x="${(x + 3).toFixed(1)}" y="${y + 13}">${escapeXml(label)}</text>`) +
        "</g>",
    );
    let at = x;
    for (const child of sorted(frame)) {
      if (child.time >= flame.time * NARROWEST) draw(child, at, level + 1);
      at += (child.time / flame.time) * (WIDTH - 2 * MARGIN);
    }
  };
  draw(flame, MARGIN, 0);
  const shares = sharesOf(flame);
  const legend = Object.entries(LEGEND).map(([owner, text], n) => {
    const x = MARGIN + n * 232;
    const share = ((100 * shares[owner as Owner]) / flame.time).toFixed(0);
    return `<g class="${owner}"><rect x="${x}" y="34" width="12" height="12" rx="2"/></g><text class="legend" x="${x + 18}" y="44">${text}: ${share} %</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">
<title id="title">${escapeXml(title)}</title>
<desc id="desc">Flame graph. Width is time on the CPU; each box stands on the function that called it. ${Object.entries(
    LEGEND,
  )
    .map(([owner, text]) => `${text} ${((100 * shares[owner as Owner]) / flame.time).toFixed(0)} %`)
    .join(", ")}.</desc>
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${height}"/>
<text class="heading" x="${MARGIN}" y="22">${escapeXml(title)}</text>
${legend.join("\n")}
${rects.join("\n")}
</svg>
`;
}

const STYLE = `
text { font: 11px ui-monospace, Menlo, Consolas, monospace; fill: #1b1b1b; pointer-events: none }
.heading { font: 600 15px system-ui, sans-serif } .legend { font: 12px system-ui, sans-serif }
.page { fill: #ffffff }
.rsa rect { fill: #f4a09a } .library rect { fill: #a9c7f0 } .dependency rect { fill: #cbb7ea }
.node rect { fill: #b9dfb4 } .engine rect { fill: #d9d9d9 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f0f0 } .page { fill: #14171c }
  .rsa rect { fill: #8f3a36 } .library rect { fill: #2f5687 } .dependency rect { fill: #5e4590 }
  .node rect { fill: #33663a } .engine rect { fill: #4a4d52 }
}
`;

const sorted = ({ children }: Flame): Flame[] => [...children.values()].sort((a, b) => b.time - a.time);

function depthOf(flame: Flame, whole: number): number {
  const visible = [...flame.children.values()].filter(({ time }) => time >= whole * NARROWEST);
  return 1 + Math.max(0, ...visible.map((child) => depthOf(child, whole)));
}

/** Microseconds that each owner's functions took themselves. */
export function sharesOf(flame: Flame): Record<Owner, number> {
  const shares: Record<Owner, number> = { rsa: 0, library: 0, dependency: 0, node: 0, engine: 0 };
  const visit = (frame: Flame): void => {
    let own = frame.time;
    for (const child of frame.children.values()) {
      own -= child.time;
      visit(child);
    }
    shares[frame.owner] += own;
  };
  visit(flame);
  return shares;
}
