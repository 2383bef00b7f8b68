import { number, rangeText } from './html.ts'
import type { Cell, EncoderRole, Verdict } from './model.ts'

/** Embeddings that spread over less than this have collapsed onto a line. */
const MIN_EFFECTIVE_RANK = 1.2

/** What a verdict is made from. */
export interface VerdictFacts {
  readonly role: EncoderRole
  readonly latentSize: number
  readonly cells: Readonly<Record<string, Cell>>
  /** The encoder that it is compared with, where that is another. */
  readonly baseline?: { readonly name: string; readonly cells: Readonly<Record<string, Cell>> }
}

/**
 * What the numbers support, in one line, by fixed rules. It speaks of ranking states and of telling episodes apart, never of having
 * learned a task: only training a policy could show that.
 */
export function verdictOf(facts: VerdictFacts): Verdict {
  const { role, cells, latentSize, baseline } = facts
  const collapse = collapseText(cells, latentSize)
  if (collapse !== undefined) return { text: collapse, kind: role === 'oracle' ? 'reference' : 'bad' }
  const ranking = rankingOf(facts) ?? orderOf(cells)
  const parts = [ranking, ...separations(cells)].flatMap((part) => part ?? [])
  if (parts.length === 0) return { text: `The data hold too little to judge it: ${reasonOf(cells)}.`, kind: 'doubtful' }
  const worst = parts.some(({ kind }) => kind === 'bad')
    ? 'bad'
    : parts.some(({ kind }) => kind === 'doubtful')
      ? 'doubtful'
      : 'good'
  const isJudged = role === 'candidate' || (role === 'baseline' && baseline !== undefined)
  return { text: parts.map(({ text }) => text).join(' '), kind: isJudged ? worst : 'reference' }
}

/** Why an embedding has collapsed; undefined where it has not. */
function collapseText(cells: VerdictFacts['cells'], latentSize: number): string | undefined {
  if (cells['collapse/dead_dimensions']?.estimate === 1) {
    return 'Collapsed: all frames have the same embedding; not to be used as a reward.'
  }
  const rank = cells['collapse/effective_rank']?.estimate ?? null
  if (rank === null || latentSize === 1 || rank >= MIN_EFFECTIVE_RANK) return undefined
  return `Collapsed: its embeddings spread over ${number(rank)} of ${latentSize} dimensions; not to be used as a reward.`
}

const RANKINGS = [
  ['distance/spearman_episode', 'within held-out episodes'],
  ['distance/spearman', 'over held-out episodes'],
] as const

function rankingOf({ cells, baseline }: VerdictFacts): Verdict | undefined {
  const [name, where] = RANKINGS.find(([key]) => (cells[key]?.estimate ?? null) !== null) ?? []
  if (name === undefined) return undefined
  const cell = cells[name]!
  const { estimate, low, standing } = cell
  const other = baseline === undefined ? '' : `; ${baseline.name} ${number(baseline.cells[name]?.estimate ?? null)}`
  const numbers = `(Spearman ${number(estimate)} ${rangeText(cell)}, ${cell.episodes} episodes${other}; chance 0)`
  if (low === null) return { text: `Too few episodes to say how it ranks states ${numbers}.`, kind: 'doubtful' }
  if (low <= 0) return { text: `Not shown to rank states by their true distance ${where} ${numbers}.`, kind: 'bad' }
  const strength = estimate! >= 0.8 ? 'closely' : estimate! >= 0.5 ? 'roughly' : 'only weakly'
  const claim = `Ranks states ${strength} like the true distance ${where}`
  if (baseline === undefined) return { text: `${claim} ${numbers}.`, kind: estimate! >= 0.5 ? 'good' : 'doubtful' }
  if (standing === 'better') {
    return { text: `${claim}, better than ${baseline.name} ${numbers}.`, kind: estimate! >= 0.5 ? 'good' : 'doubtful' }
  }
  return standing === 'worse'
    ? { text: `${claim}, but worse than ${baseline.name} ${numbers}.`, kind: 'bad' }
    : { text: `${claim}, but not shown to be better than ${baseline.name} ${numbers}.`, kind: 'doubtful' }
}

/** What is missing for a verdict. */
function reasonOf(cells: VerdictFacts['cells']): string {
  const reasons = ['success/auc', 'value/voc_expert'].flatMap((name) => cells[name]?.undefinedBecause ?? [])
  return reasons.length === 0 ? 'no goals, or no outcomes' : [...new Set(reasons)].join('; ')
}

/** Where no true distance is known: whether the reward rises with time along successes, and more so than along failures. */
function orderOf(cells: VerdictFacts['cells']): Verdict | undefined {
  const cell = cells['value/voc_expert']
  if (cell === undefined || cell.estimate === null || cell.low === null) return undefined
  const failed = cells['value/voc_failed']
  const besides =
    (failed?.estimate ?? null) === null ? '' : `; failed ones ${number(failed!.estimate)} ${rangeText(failed!)}`
  const numbers = `(rank correlation with time ${number(cell.estimate)} ${rangeText(cell)}, ${cell.episodes} episodes${besides}; chance 0)`
  if (cell.low <= 0) return { text: `Not shown to rise along successful episodes ${numbers}.`, kind: 'doubtful' }
  if (besides !== '' && (failed!.high === null || failed!.high >= cell.low)) {
    const text = `Rises along successful episodes, but not shown to do so less along failed ones, as any clock would ${numbers}.`
    return { text, kind: 'doubtful' }
  }
  return { text: `Rises along successful episodes ${numbers}.`, kind: besides === '' ? 'doubtful' : 'good' }
}

/** How it pays successes beside failures and tricks: one sentence where the answer is the same. */
function separations(cells: VerdictFacts['cells']): (Verdict | undefined)[] {
  const failed = separationOf(cells['success/auc'], 'failed')
  const adversarial = separationOf(cells['adversarial/auc'], 'adversarial')
  if (failed?.kind !== 'good' || adversarial?.kind !== 'good') return [failed, adversarial]
  const text = `Pays successful episodes more than failed ${aucText(cells['success/auc']!)} and adversarial ones ${aucText(cells['adversarial/auc']!)}.`
  return [{ text, kind: 'good' }]
}

function aucText(cell: Cell): string {
  return `(AUC ${number(cell.estimate)} ${rangeText(cell)}, ${cell.episodes} episodes; chance 0.5)`
}

function separationOf(cell: Cell | undefined, kind: 'failed' | 'adversarial'): Verdict | undefined {
  if (cell === undefined || cell.estimate === null || cell.low === null || cell.high === null) return undefined
  const numbers = aucText(cell)
  if (cell.low > 0.5) return { text: `Pays successful episodes more than ${kind} ones ${numbers}.`, kind: 'good' }
  return cell.high < 0.5
    ? { text: `Pays ${kind} episodes MORE than successful ones ${numbers}.`, kind: 'bad' }
    : { text: `Not shown to pay successful episodes more than ${kind} ones ${numbers}.`, kind: 'doubtful' }
}
