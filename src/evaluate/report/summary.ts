import { coreText, isCore } from './core-measures.ts'
import { escapeHtml, number, rangeText, section, wide } from './html.ts'
import type { Cell, EncoderRole, MeasureColumn, RewardsReport } from './model.ts'

/** What a reader sees in place of the role's name. */
const ROLE_TEXT: Readonly<Record<EncoderRole, string>> = {
  candidate: 'asked about',
  baseline: 'control',
  oracle: 'upper reference',
}
const ARROWS = { higher: '↑ better', lower: '↓ better', none: '' }
const MARKS = { better: '▲', worse: '▼', undecided: '≈' }

/** One line for each encoder: what may be said of it. */
export function verdictSection({ encoders, baseline }: RewardsReport): string {
  const lines = encoders.map(
    ({ name, role, verdict: { text, kind } }) =>
      `<li class="${kind}"><strong>${escapeHtml(name)}</strong><span class="role">${ROLE_TEXT[role]}</span>${escapeHtml(text)}</li>`,
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

/** The table of encoders by the measures that were shown to predict how a policy learns; `all`: and all others below it. */
export function tableSection(report: RewardsReport, all: boolean): string {
  const { encoders, baseline } = report
  const columns = report.measures.filter(({ name }) => isCore(name))
  const head = columns.map(
    ({ name, title, direction }) =>
      `<th class="head" scope="col">${escapeHtml(coreText(name)?.title ?? title)}<br><span class="small">${ARROWS[direction]}</span></th>`,
  )
  const rows = encoders.map(
    ({ name, role, cells }) =>
      `<tr><th scope="row">${escapeHtml(name)}<br><span class="small">${ROLE_TEXT[role]}</span></th>${columns.map((column) => cellHtml(cells[column.name])).join('')}</tr>`,
  )
  const level = (name: string, value: (column: MeasureColumn) => number | undefined): string =>
    `<tr class="chance"><th scope="row">${name}</th>${columns.map((column) => `<td>${number(value(column) ?? null)}</td>`).join('')}</tr>`
  const body = `<table>
<thead><tr><th scope="col">encoder</th>${head.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
${level('chance', ({ chance }) => chance)}
${level('best possible', ({ best }) => best)}
</tbody></table>`
  return section(
    'table',
    'Measures',
    `Estimate, and under it the 95 % interval over held-out episodes and how many of them count. A cell is green or red only where the <em>paired</em> difference to the baseline, on the same episodes, is beyond chance (Holm’s correction over the encoders), whatever the averages are. An arrow says which way is better. “Chance” is what an embedding that knows nothing scores. “–”: not defined on these data.`,
    `${baseline === undefined ? '' : colourKey(baseline)}${wide(body)}\n${saturatedText(report, columns)}${glossary(columns)}\n${all ? allMeasures(report) : othersText(report)}`,
  )
}

/** Columns that separate nothing: the baseline is at the best value already. */
function saturatedText({ encoders, baseline }: RewardsReport, columns: readonly MeasureColumn[]): string {
  const cells = encoders.find(({ name }) => name === baseline)?.cells
  const saturated = columns.filter(({ name, best }) => best !== undefined && cells?.[name]?.estimate === best)
  if (baseline === undefined || saturated.length === 0) return ''
  const titles = saturated.map(({ name, title }) => `“${coreText(name)?.title ?? title}”`).join(', ')
  return `<p class="small">${escapeHtml(`${baseline} has the best possible value already in ${titles}: on these episodes that says nothing for an encoder.`)}</p>\n`
}

function colourKey(baseline: string): string {
  const name = escapeHtml(baseline)
  return `<p class="key"><span style="background:var(--better-fill)">▲ better than ${name}</span><span style="background:var(--worse-fill)">▼ worse than ${name}</span><span style="background:var(--undecided-fill)">≈ no difference shown</span></p>`
}

function cellHtml(cell: Cell | undefined): string {
  if (cell === undefined || cell.estimate === null) {
    return `<td class="none" title="${escapeHtml(cell?.undefinedBecause ?? 'not measured')}">–</td>`
  }
  const { estimate, episodes, difference, standing } = cell
  const title =
    difference === undefined
      ? ''
      : ` title="difference to the baseline ${number(difference.estimate)} ${rangeText(difference)}"`
  const mark = standing === undefined ? '' : `${MARKS[standing]} `
  return `<td class="${standing ?? ''}"${title}>${mark}${number(estimate)}<span class="range">${rangeText(cell)}</span><span class="range">${episodes} ep.</span></td>`
}

function glossary(columns: readonly MeasureColumn[]): string {
  const terms = columns.map(
    ({ name, title }) =>
      `<dt>${escapeHtml(coreText(name)?.title ?? title)}</dt><dd>${escapeHtml(coreText(name)?.meaning ?? '')}</dd>`,
  )
  return `<details open><summary>What the columns mean</summary><dl class="facts">${terms.join('')}</dl></details>`
}

/** What is not shown, and what was not measured. */
function othersText({ measures, leftOut }: RewardsReport): string {
  const others = measures.filter(({ name }) => !isCore(name)).length
  return `<p class="small">These measures were shown to predict how well a policy learns on an embedding. ${others} others are in the JSON, and on a page made with <code>--all</code>.</p>${leftOutText(leftOut)}`
}

function leftOutText(leftOut: RewardsReport['leftOut']): string {
  if (leftOut.length === 0) return ''
  return `<p class="small">Not measured, as the data do not allow it:</p><ul class="small">${leftOut.map(({ name, because }) => `<li><code>${escapeHtml(name)}</code>: ${escapeHtml(because)}</li>`).join('')}</ul>`
}

/** Everything that was measured, one measure a row. */
function allMeasures({ measures, encoders, leftOut }: RewardsReport): string {
  const head = encoders.map(({ name }) => `<th scope="col">${escapeHtml(name)}</th>`).join('')
  const rows = measures.map((measure) => {
    const { name, title, direction, chance } = measure
    const cells = encoders.map((encoder) => cellHtml(encoder.cells[name])).join('')
    const variable = name.split('/').slice(2).join('/')
    return `<tr><th scope="row" class="head">${escapeHtml(title)}${variable === '' ? '' : `: ${escapeHtml(variable)}`}<br><span class="small">${ARROWS[direction]} <code>${escapeHtml(name)}</code></span></th>${cells}<td>${number(chance ?? null)}</td></tr>`
  })
  return `<details open><summary>All ${measures.length} measures</summary>${wide(`<table class="measures"><thead><tr><th scope="col">measure</th>${head}<th scope="col">chance</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`)}${leftOutText(leftOut)}</details>`
}

/** What was measured on what, and how to do it again. `runtime` in seconds is on the page only: it is no result. */
export function provenanceSection({ provenance, encoders }: RewardsReport, runtimeS: number): string {
  const { counts } = provenance
  const facts: readonly (readonly [string, string])[] = [
    ['dataset', `<code>${escapeHtml(provenance.dataset)}</code>`],
    ['SHA-256 of its files', `<code>${provenance.datasetHash}</code>`],
    ['recorded from', escapeHtml(provenance.env)],
    [
      'split',
      `${provenance.trainEpisodes.length} episodes to fit on, ${provenance.testEpisodes.length} held out; no episode in both`,
    ],
    ...(provenance.reward === undefined ? [] : [['reward', escapeHtml(provenance.reward)] as const]),
    ['goals', escapeHtml(provenance.goals)],
    ['true distance', escapeHtml(provenance.trueDistance)],
    ['intervals', '95 %, by the jackknife over episodes, stratified by class'],
    ['seed', String(provenance.seed)],
    [
      'versions',
      escapeHtml(
        Object.entries(provenance.versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(', '),
      ),
    ],
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
