/** The look of the page, in light and dark; everything that plots draw takes its colours from these variables. */
export const STYLE = `
:root { color-scheme: light dark;
  --background: #fcfcfb; --panel: #ffffff; --text: #1b1f24; --muted: #667078; --line: #d5d9dd; --accent: #2f6db5;
  --better: #1f7a45; --better-fill: #dcf1e3; --worse: #b3352c; --worse-fill: #fadfdc; --undecided: #667078; --undecided-fill: #eceef0;
  --successful: #1f7a45; --failed: #c9541b; --reversed: #7457b8; --adversarial: #c02f6a; }
@media (prefers-color-scheme: dark) { :root {
  --background: #14171a; --panel: #1b1f23; --text: #e6e9ec; --muted: #9aa4ac; --line: #3a4148; --accent: #7db2ec;
  --better: #6fce93; --better-fill: #1c3b28; --worse: #f0897f; --worse-fill: #4a211e; --undecided: #9aa4ac; --undecided-fill: #2a3036;
  --successful: #6fce93; --failed: #f09a5f; --reversed: #b39bf0; --adversarial: #f07ba8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.2rem; background: var(--background); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
code, pre, dd { overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .2rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
.lead, figcaption, .small { color: var(--muted); }
.lead { margin: .2rem 0 .8rem; max-width: 76ch; }
.small, figcaption { font-size: .85rem; }
nav a { margin-right: 1rem; white-space: nowrap; } a { color: var(--accent); }
code, pre { font: .85rem/1.45 ui-monospace, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .7rem; white-space: pre-wrap; }
.wide { overflow-x: auto; max-width: 100%; }
.plot { display: block; height: auto; }
.plot text { font-size: 11px; }
.wide > .plot { max-width: none; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; }
figure .plot { width: 100%; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: .8rem; align-items: start; }
.verdicts { list-style: none; padding: 0; margin: .5rem 0; }
.verdicts li { background: var(--panel); border: 1px solid var(--line); border-left: 5px solid var(--undecided); border-radius: 4px;
  padding: .45rem .8rem; margin: .4rem 0; }
.verdicts .good { border-left-color: var(--better); } .verdicts .bad { border-left-color: var(--worse); }
.verdicts .reference { border-left-color: var(--line); }
.role { font-size: .75rem; color: var(--muted); border: 1px solid var(--line); border-radius: 9px; padding: 0 .45rem; margin: 0 .4rem; white-space: nowrap; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: .35rem .4rem; text-align: right; vertical-align: top; white-space: nowrap; }
th { background: var(--panel); font-weight: 600; } th.head { white-space: normal; min-width: 5.4rem; text-align: left; vertical-align: bottom; }
th[scope=row] { text-align: left; position: sticky; left: 0; z-index: 1; }
td .range { display: block; color: var(--muted); font-size: .78rem; }
td.better { background: var(--better-fill); } td.worse { background: var(--worse-fill); } td.undecided { background: var(--undecided-fill); }
.measures td { text-align: left; } td.none { color: var(--muted); text-align: center; }
.chance td, .chance th { color: var(--muted); font-style: italic; }
.key span { display: inline-block; padding: 0 .5rem; margin: 0 .3rem .3rem 0; border-radius: 3px; font-size: .85rem; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em; vertical-align: -1px; }
.strip { display: flex; gap: 4px; align-items: flex-start; margin: .25rem 0; }
.strip figure { border: 0; padding: 0; background: none; flex: none; }
.strip figcaption { font-size: .72rem; line-height: 1.25; text-align: center; max-width: 74px; }
.strip img { display: block; width: 72px; image-rendering: pixelated; border: 2px solid var(--line); border-radius: 3px; }
.strip .mark img { border-color: var(--accent); } .strip .wrong img { border-color: var(--worse); }
.strip .name { width: 92px; flex: none; font-size: .85rem; }
.panels { display: flex; flex-wrap: wrap; gap: .2rem .6rem; }
.panels figure { border: 0; padding: 0; background: none; margin: 0; flex: none; max-width: 100%; }
.panels figcaption { padding-left: 48px; }
dl.facts { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; }
details { margin: .5rem 0; } summary { cursor: pointer; }
@media (max-width: 600px) { body { padding: .8rem; } dl.facts { grid-template-columns: 1fr; } dl.facts dd { margin-bottom: .5rem; }
  .wide > .plot { width: 100%; max-width: 100%; } .strip { flex-wrap: wrap; }
  .strip img { width: 56px; } .strip .name { width: 100%; } .panels figure { width: 100%; } .panels .plot { width: 100%; height: auto; } }
@media print { .wide { overflow: visible; } }
`
