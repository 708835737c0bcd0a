/** The stylesheet of a site; `color` is its own. Text has a contrast of 7:1 and more, lines and edges of 3:1. */
export const stylesheet = (
  color: string,
): string => `:root { --site: ${color}; --text: #1c2430; --soft: #4a5565; --line: #c3cad4; --back: #f4f6f9; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; font: 1.0625rem/1.6 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: var(--text); background: var(--back); }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { margin: 0 0 .75rem; font-size: 1.9rem; }
h2 { margin: 0 0 .6rem; font-size: 1.2rem; }
h3 { margin: 0 0 .2rem; font-size: 1.2rem; }
p { margin: 0 0 1rem; max-width: 42rem; }
ul { margin: 0; padding: 0; list-style: none; }
a { color: var(--site); text-underline-offset: .2em; }
a:hover { text-decoration-thickness: .15em; }
code { overflow-wrap: anywhere; font-size: .95em; }
:focus-visible { outline: 3px solid #b35900; outline-offset: 2px; border-radius: .2rem; }
.skip { position: absolute; left: -100rem; padding: .5rem 1rem; background: #fff; }
.skip:focus { left: 1rem; top: 1rem; z-index: 1; }
.wide { width: 100%; max-width: 68rem; margin-inline: auto; padding-inline: 1.5rem; }
header { color: #fff; background: var(--site); }
header .wide { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.5rem; min-height: 4rem; padding-block: .6rem; }
header a { color: #fff; }
header :focus-visible { outline-color: #ffd166; }
.brand { display: flex; align-items: center; gap: .7rem; font-size: 1.25rem; font-weight: 700; text-decoration: none; margin-right: auto; }
.brand img { width: 2.25rem; height: 2.25rem; border-radius: .4rem; }
header ul { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.25rem; }
.me { display: flex; align-items: center; gap: .6rem; }
.me img { width: 2.25rem; height: 2.25rem; border-radius: 50%; border: 2px solid #fff; }
main { flex: 1; padding-block: 2rem 3rem; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) 20rem; column-gap: 1.5rem; align-items: start; }
@media (max-width: 50rem) { .columns { grid-template-columns: minmax(0, 1fr); } }
.card { padding: 1.4rem 1.5rem; margin-bottom: 1.5rem; background: #fff; border: 1px solid var(--line); border-radius: .6rem; }
.card > :last-child { margin-bottom: 0; }
.card form { margin-bottom: 1rem; }
.card ul + h2 { margin-top: 1.6rem; }
.card li { padding: .7rem 0; border-top: 1px solid var(--line); }
.card li:first-child { border-top: 0; padding-top: 0; }
.card li:last-child { padding-bottom: 0; }
.card li a { font-weight: 600; }
dd li a { font-weight: inherit; }
.soft { color: var(--soft); }
.small { font-size: .95rem; }
.person { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: center; margin-bottom: 1.25rem; }
.person h1, .person p { margin-bottom: .2rem; }
.person img { width: 8rem; height: 8rem; border-radius: .6rem; border: 1px solid var(--line); }
.narrow { max-width: 44rem; margin-inline: auto; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .5rem 1.5rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .75rem; } .wide, .card { padding-inline: 1rem; } }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input { width: 100%; margin-bottom: 1rem; padding: .6rem .75rem; font: inherit; color: inherit; background: #fff; border: 1px solid #6b7686; border-radius: .35rem; }
button, .button { display: inline-block; padding: .6rem 1.4rem; font: inherit; font-weight: 600; color: #fff; background: var(--site); border: 2px solid var(--site); border-radius: .35rem; cursor: pointer; text-decoration: none; }
input[type="checkbox"] { width: 1.5rem; height: 1.5rem; margin: 0; vertical-align: middle; accent-color: var(--site); }
.card table + p, .card p + table { margin-top: 1rem; }
.card form:last-child, .actions { margin-bottom: 0; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; }
td label { display: inline; font-weight: inherit; }
.choice { width: 3rem; }
.user { width: 26%; }
button:hover, .button:hover { filter: brightness(1.15); }
button.quiet { color: var(--site); background: #fff; }
header button { padding: .25rem .9rem; border-color: #fff; }
.tight { margin: 0; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.done { padding: .75rem 1rem; margin-bottom: 1rem; border: 1px solid #1d6b35; border-left-width: .4rem; border-radius: .35rem; background: #eff8f1; }
.alert { padding: .75rem 1rem; margin-bottom: 1rem; border: 1px solid #a11; border-left-width: .4rem; border-radius: .35rem; background: #fdf1f0; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; font-size: 1.2rem; font-weight: 700; margin-bottom: .4rem; }
th, td { padding: .45rem .75rem .45rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: .95rem; color: var(--soft); }
footer { padding: 1rem 0; font-size: .9rem; color: var(--soft); border-top: 1px solid var(--line); background: #fff; }
`;

/** The mark of a site: the first letter of its name on its colour. */
export const siteIcon = (letter: string, color: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="12" fill="#fff"/><rect x="5" y="5" width="54" height="54" rx="9" fill="${color}"/><text x="32" y="46" font-family="Georgia, DejaVu Serif, serif" font-size="40" font-weight="700" fill="#fff" text-anchor="middle">${letter}</text></svg>\n`;
