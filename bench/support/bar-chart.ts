import { escapeXml } from "../../src/xml/escape.ts";

/** What a chart shows. */
export interface BarChart {
  readonly title: string;
  /** For those who do not see it, and for search. */
  readonly description: string;
  readonly bars: readonly Bar[];
  /** A line across all bars. */
  readonly mark?: { readonly at: number; readonly label: string };
}
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** What stands at its end. */
  readonly text: string;
  /** The others are what ours is compared with; `bad` is out of its bound. */
  readonly kind: "ours" | "other" | "bad";
}

const WIDTH = 960;
const MARGIN = 16;
const LABELS = 410;
const TEXTS = 130;
const HEAD = 46;
const ROW = 26;
const BAR = 16;
const MARK_ROOM = 22;

/** Draws horizontal bars from zero. Colours differ in lightness, too, and follow the reader's preference for light or dark. */
export function barChartSvg({ title, description, bars, mark }: BarChart): string {
  const height = HEAD + bars.length * ROW + MARGIN + (mark ? MARK_ROOM : 0);
  const left = MARGIN + LABELS;
  const room = WIDTH - left - TEXTS - MARGIN;
  const largest = Math.max(mark?.at ?? 0, ...bars.map(({ value }) => (Number.isFinite(value) ? value : 0)), 1e-9);
  const x = (value: number): number => left + (Math.max(0, Number.isFinite(value) ? value : 0) / largest) * room;
  const rows = bars.map(({ label, value, text, kind }, n) => {
    const y = HEAD + n * ROW;
    const baseline = y + BAR - 3;
    return (
      `<g><title>${escapeXml(`${label}: ${text}`)}</title>` +
      `<text class="label" x="${left - 8}" y="${baseline}">${escapeXml(label)}</text>` +
      `<rect class="${kind}" x="${left}" y="${y}" width="${Math.max(1, x(value) - left).toFixed(1)}" height="${BAR}" rx="2"/>` +
      `<text x="${(Math.max(x(value), left) + 6).toFixed(1)}" y="${baseline}">${escapeXml(text)}</text></g>`
    );
  });
  const bottom = HEAD + bars.length * ROW;
  const line = mark && [
    `<line x1="${x(mark.at).toFixed(1)}" x2="${x(mark.at).toFixed(1)}" y1="${HEAD - 8}" y2="${bottom}"/>`,
    `<text class="mark" x="${x(mark.at).toFixed(1)}" y="${bottom + 15}">${escapeXml(mark.label)}</text>`,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">
<title id="title">${escapeXml(title)}</title>
<desc id="desc">${escapeXml(description)} ${escapeXml(bars.map(({ label, text }) => `${label}: ${text}`).join("; "))}.</desc>
<style>${STYLE}</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>
<text class="heading" x="${MARGIN}" y="27">${escapeXml(title)}</text>
${[...(line ?? []), ...rows].join("\n")}
</svg>
`;
}

const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #1f2328; paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
.heading { font-size: 15px; font-weight: 600 } .label { text-anchor: end } .mark { text-anchor: middle; font-size: 12px }
.page { fill: #ffffff } line { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
.ours { fill: #2563b0 } .other { fill: #b6bdc6 } .bad { fill: #c2410c }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; stroke: #14171c } .page { fill: #14171c } line { stroke: #e6edf3 }
  .ours { fill: #6ea8f0 } .other { fill: #59616b } .bad { fill: #f0883e }
}
`;
