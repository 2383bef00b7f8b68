import { escapeHtml, intervalText, number, section, wide } from './html.ts'
import type { Cell, EncoderReport, EncoderRole, MeasureColumn, RewardsReport } from './model.ts'

/** What a reader sees in place of the role's name. */
const ROLE_TEXT: Readonly<Record<EncoderRole, string>> = {
  candidate: 'asked about',
  baseline: 'control',
  oracle: 'upper reference',
}
const ARROWS = { higher: '↑ higher is better', lower: '↓ lower is better', neither: '' }
const MARKS = { better: '▲', worse: '▼', unclear: '≈' }

/** One line for each encoder: what may be said of it. */
export function verdictSection({ encoders, baseline }: RewardsReport): string {
  const lines = encoders.map(
    ({ name, role, verdict, verdictKind }) =>
      `<li class="${verdictKind}"><strong>${escapeHtml(name)}</strong><span class="role">${ROLE_TEXT[role]}</span>${escapeHtml(verdict)}</li>`,
  )
  const against =
    baseline === undefined
      ? ''
      : ` “Better” and “worse” compare with <em>${escapeHtml(baseline)}</em>, a convolutional network that has learned nothing, on the same episodes.`
  return section(
    'verdicts',
    'Verdict',
    `One line for each encoder, from the numbers below and nothing else. Brackets are 95 % intervals over held-out episodes.${against} None of this shows that a policy trained on the reward solves the task: only training one does.`,
    `<ul class="verdicts">\n${lines.join('\n')}\n</ul>`,
  )
}

/** The table of encoders by measures. */
export function tableSection(report: RewardsReport): string {
  const { measures, encoders, baseline } = report
  const head = measures.map(
    ({ title, description, better }) =>
      `<th class="head" scope="col" title="${escapeHtml(description)}">${escapeHtml(title)}<br><span class="small">${ARROWS[better]}</span></th>`,
  )
  const rows = encoders.map((encoder) => encoderRow(encoder, measures))
  const chance = measures.map(({ chance: value }) => `<td>${value === undefined ? '–' : number(value)}</td>`)
  const body = `<table>
<thead><tr><th scope="col">encoder</th>${head.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
<tr class="chance"><th scope="row">chance</th>${chance.join('')}</tr>
</tbody></table>`
  const key = `<p class="key"><span style="background:var(--better-fill)">▲ better than ${escapeHtml(baseline ?? 'the baseline')}</span><span style="background:var(--worse-fill)">▼ worse</span><span style="background:var(--unclear-fill)">≈ no difference shown</span></p>`
  return section(
    'table',
    'Measures',
    `Estimate, and under it the 95 % bootstrap interval over held-out episodes and how many of them count. A cell is green or red only where the interval of the <em>paired</em> difference to the baseline, on the same episodes, leaves out 0. “Chance” is what an embedding that knows nothing scores. “–”: these data do not define it.`,
    `${baseline === undefined ? '' : key}${wide(body)}\n${glossary(measures)}`,
  )
}

function encoderRow({ name, role, cells }: EncoderReport, measures: readonly MeasureColumn[]): string {
  const row = measures.map((measure) => cellHtml(cells[measure.name]))
  return `<tr><th scope="row">${escapeHtml(name)}<br><span class="small">${ROLE_TEXT[role]}</span></th>${row.join('')}</tr>`
}

function cellHtml(cell: Cell | undefined): string {
  if (cell === undefined) return '<td class="none">–</td>'
  const { estimate, low, high, episodes, paired, standing } = cell
  const title = paired === undefined ? '' : ` title="paired difference ${intervalText(paired)}"`
  const mark = standing === undefined ? '' : `${MARKS[standing]} `
  return `<td class="${standing ?? ''}"${title}>${mark}${number(estimate)}<span class="range">[${number(low)}, ${number(high)}]</span><span class="range">${episodes} ep.</span></td>`
}

function glossary(measures: readonly MeasureColumn[]): string {
  const terms = measures.map(
    ({ title, description }) => `<dt>${escapeHtml(title)}</dt><dd>${escapeHtml(description)}</dd>`,
  )
  return `<details open><summary>What the columns mean</summary><dl class="facts">${terms.join('')}</dl></details>`
}

/** What was measured on what, and how to do it again. `runtime` in seconds is on the page only: it is no result. */
export function provenanceSection({ provenance, encoders }: RewardsReport, runtimeS: number): string {
  const { counts } = provenance
  const facts: readonly (readonly [string, string])[] = [
    ['dataset', `<code>${escapeHtml(provenance.dataset)}</code>`],
    ['SHA-256 of its files', `<code>${provenance.datasetHash}</code>`],
    ['recorded from', escapeHtml(provenance.env)],
    ['split', `${provenance.trainEpisodes.length} episodes to fit on, ${provenance.testEpisodes.length} held out; no episode in both`],
    ['goals', escapeHtml(provenance.goals)],
    ['true distance', escapeHtml(provenance.trueDistance)],
    ['intervals', `bootstrap over episodes, stratified by class, ${provenance.bootstrapRepetitions} resamples`],
    ['seed', String(provenance.seed)],
    ['versions', escapeHtml(Object.entries(provenance.versions).map(([name, version]) => `${name} ${version}`).join(', '))],
    ['runtime', `${runtimeS.toFixed(0)} s`],
  ]
  const classes = counts.map(
    ({ policy, train, test, successes }) =>
      `<tr><th scope="row">${escapeHtml(policy)}</th><td>${train}</td><td>${test}</td><td>${successes}</td></tr>`,
  )
  const sources = encoders.map(
    ({ name, source, camera, latentSize, hash }) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(source)}</td><td>${escapeHtml(camera ?? '–')}</td><td>${latentSize}</td><td><code>${hash?.slice(0, 16) ?? '–'}</code></td></tr>`,
  )
  const problems =
    provenance.problems.length === 0
      ? ''
      : `<h3>Files that could not be read</h3><ul>${provenance.problems.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>`
  return section(
    'provenance',
    'What was measured on what',
    'Enough to check these numbers, or to make them again.',
    `<dl class="facts">${facts.map(([term, text]) => `<dt>${term}</dt><dd>${text}</dd>`).join('')}</dl>
<h3>Episodes by class</h3>
${wide(`<table><thead><tr><th scope="col">class</th><th>to fit on</th><th>held out</th><th>of those, successes</th></tr></thead><tbody>${classes.join('')}</tbody></table>`)}
<h3>Encoders</h3>
${wide(`<table><thead><tr><th scope="col">encoder</th><th>from</th><th>camera</th><th>size</th><th>SHA-256 of weights</th></tr></thead><tbody>${sources.join('')}</tbody></table>`)}
${problems}
<h3>To make this page again</h3><pre>${escapeHtml(provenance.command)}</pre>`,
  )
}
