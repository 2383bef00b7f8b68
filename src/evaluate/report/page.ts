import type { Drawing } from './gallery.ts'
import {
  curveSection,
  dimensionSection,
  distanceSection,
  hackSection,
  mapSection,
  neighbourSection,
} from './gallery.ts'
import { escapeHtml } from './html.ts'
import type { RewardsReport } from './model.ts'
import { STYLE } from './style.ts'
import { provenanceSection, tableSection, verdictSection } from './summary.ts'

const CONTENTS = [
  ['verdicts', 'Verdict'],
  ['table', 'Measures'],
  ['curves', 'Curves'],
  ['distance', 'Distances'],
  ['map', 'Goal map'],
  ['neighbours', 'Neighbours'],
  ['dimensions', 'Dimensions'],
  ['hacks', 'Hacks'],
  ['provenance', 'What and how'],
] as const

/**
 * The report as one HTML file that needs nothing else: styles, plots (SVG) and frames (PNG) are inside, there is no script and no
 * address of the network.
 *
 * @param runtimeS how long it took, in seconds
 * @param all whether every measure is listed, below those that were shown to predict
 */
export function reportPage(report: RewardsReport, drawing: Drawing, runtimeS: number, all = false): string {
  const { provenance, encoders } = report
  const sections = [
    verdictSection(report),
    tableSection(report, all),
    curveSection(drawing),
    distanceSection(drawing),
    mapSection(drawing),
    neighbourSection(drawing),
    dimensionSection(drawing),
    hackSection(drawing, provenance.successRadius),
    provenanceSection(report, runtimeS),
  ].filter((text) => text !== '')
  const links = CONTENTS.filter(([id]) => sections.some((text) => text.startsWith(`<section id="${id}"`)))
  const candidates = encoders.filter(({ role }) => role === 'candidate').map(({ name }) => name)
  const title = `Embedding rewards on ${provenance.env}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p class="lead">An encoder turns a camera frame into a short vector, and ${rewardText(provenance.reward)} is used as a reward. This page says how far ${candidates.length === 0 ? 'the controls' : escapeHtml(candidates.join(', '))} can be trusted as such a reward, from ${provenance.testEpisodes.length} recorded episodes that none of them learned from, before any robot moves.</p>
<nav>${links.map(([id, text]) => `<a href="#${id}">${text}</a>`).join('')}</nav>
${sections.join('\n')}
</body>
</html>
`
}

function rewardText(reward: string | undefined): string {
  if (reward === undefined) return 'minus the distance of that vector to the vector of a goal picture'
  return `what <code>${escapeHtml(reward)}</code> pays for that vector`
}
