/** The style of every page: light and dark, wide, narrow and on paper. Contrast is at least 4.5:1 everywhere. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --paper: #fbfbf9; --card: #ffffff; --ink: #1b1f24; --soft: #525a64; --line: #d9dce1; --link: #0b57a4;
  --bad: #a3161f; --bad-back: #fdecec; --warn: #7a4b00; --warn-back: #fff3d6;
  --good: #11653a; --good-back: #e4f6ea; --plain-back: #eef0f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1c2026; --ink: #e7eaee; --soft: #a9b2bd; --line: #343b45; --link: #8fc1ff;
    --bad: #ff9a9a; --bad-back: #421a1d; --warn: #ffcf70; --warn-back: #3d2e0c;
    --good: #86dfa8; --good-back: #12351f; --plain-back: #2a3038;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 78rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
header { border-bottom: 2px solid var(--line); margin-bottom: 1.5rem; padding-bottom: .75rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 90ch; overflow-wrap: anywhere; }
td p { margin: 0 0 .4rem; }
.said { border-top: 1px solid var(--line); margin-top: .9rem; padding-top: .7rem; }
h2 + .said { border-top: 0; margin-top: 0; padding-top: 0; }
time { white-space: nowrap; }
.subtitle, footer, .soft { color: var(--soft); }
code, .mono { font: .86em/1.5 ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
section.card, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem; margin: 1rem 0; }
section.card > h2:first-child, .verdict > h2:first-child { margin-top: 0; }
.verdict { border-left-width: .5rem; }
.verdict.bad { border-color: var(--bad); background: var(--bad-back); }
.verdict.warn { border-color: var(--warn); background: var(--warn-back); }
.verdict.good { border-color: var(--good); background: var(--good-back); }
.tag { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .82rem; font-weight: 600; white-space: nowrap; background: var(--plain-back); }
.tag.bad { color: var(--bad); background: var(--bad-back); }
.tag.warn { color: var(--warn); background: var(--warn-back); }
.tag.good { color: var(--good); background: var(--good-back); }
dl.figures { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
dl.figures > div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; min-width: 8.5rem; }
dl.figures > div.bad { border-color: var(--bad); }
dl.figures > div.bad dd { color: var(--bad); }
dl.figures > div.warn dd { color: var(--warn); }
dl.figures dt { color: var(--soft); font-size: .85rem; }
dl.figures dd { margin: 0; font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums; }
dl.facts { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .35rem 1.25rem; margin: .5rem 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: left; color: var(--soft); padding: .2rem 0 .5rem; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { color: var(--soft); font-weight: 600; font-size: .85rem; white-space: nowrap; }
tbody th { font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td ul, dd ul { margin: 0; padding-left: 1.1rem; }
.next { margin-top: .35rem; }
footer { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: .75rem; font-size: .88rem; }
@media (max-width: 46rem) {
  body { padding: 1rem .9rem 2rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: .6rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, caption, tbody, tr, th, td { display: block; width: 100%; }
  dl.figures { display: grid; grid-template-columns: 1fr 1fr; }
  dl.figures > div { min-width: 0; }
  tr { border-bottom: 2px solid var(--line); padding: .5rem 0; }
  th, td { border: 0; padding: .12rem 0; }
  td.number { text-align: left; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #333; --line: #999; --bad: #a3161f; --warn: #7a4b00; --good: #11653a; --bad-back: #fff; --warn-back: #fff; --good-back: #fff; --plain-back: #fff; }
  body { max-width: none; padding: 0; font-size: 11pt; }
  section.card, .verdict, tr { break-inside: avoid; }
  .tag { border: 1px solid currentColor; }
}
`;
