import { describe, expect, test } from 'vitest'
import type { Cell } from '../../../src/evaluate/report/model.ts'
import { verdictOf } from '../../../src/evaluate/report/verdict.ts'

const cell = (estimate: number, low: number, high: number, standing?: Cell['standing']): Cell => ({
  estimate,
  low,
  high,
  episodes: 50,
  ...(standing === undefined ? {} : { standing }),
})
const baseline = { name: 'random', cells: { 'distance/spearman_episode': cell(0.41, 0.3, 0.5) } }
const judge = (cells: Readonly<Record<string, Cell>>) =>
  verdictOf({
    role: 'candidate',
    latentSize: 8,
    cells: { 'collapse/effective_rank': cell(5, 4, 6), ...cells },
    baseline,
  })

describe('verdict', () => {
  test('says what is ranked, how well, on how much, beside baseline and chance', () => {
    expect(judge({ 'distance/spearman_episode': cell(0.86, 0.81, 0.9, 'better') })).toEqual({
      text: 'Ranks states closely like the true distance within held-out episodes, better than random (Spearman 0.86 [0.81, 0.90], 50 episodes; random 0.41; chance 0).',
      kind: 'good',
    })
  })

  test.each([
    ['undecided', 'doubtful', 'not shown to be better than random'],
    ['worse', 'bad', 'but worse than random'],
  ] as const)('a difference that is %s is %s', (standing, kind, text) => {
    const verdict = judge({ 'distance/spearman_episode': cell(0.6, 0.5, 0.7, standing) })
    expect(verdict).toMatchObject({ kind, text: expect.stringContaining(text) as string })
  })

  test('an interval that holds chance shows no ranking, whatever the estimate', () => {
    const verdict = judge({ 'distance/spearman_episode': cell(0.5, -0.01, 0.9, 'better') })
    expect(verdict).toMatchObject({ kind: 'bad', text: expect.stringContaining('Not shown to rank') as string })
  })

  test('one that pays tricks more is bad, however well it ranks', () => {
    const verdict = judge({
      'distance/spearman_episode': cell(0.9, 0.8, 0.95, 'better'),
      'success/auc': cell(0.9, 0.8, 1),
      'adversarial/auc': cell(0.2, 0.1, 0.3),
    })
    expect(verdict).toMatchObject({
      kind: 'bad',
      text: expect.stringContaining('Pays adversarial episodes MORE') as string,
    })
  })

  test.each([{ 'collapse/effective_rank': cell(1.05, 1, 1.1) }, { 'collapse/dead_dimensions': cell(1, 1, 1) }])(
    '%o is called collapsed, however well it seems to rank',
    (cells) => {
      expect(
        judge({ ...cells, 'distance/spearman_episode': cell(0.9, 0.8, 0.95, 'better') } as Record<string, Cell>),
      ).toMatchObject({
        kind: 'bad',
        text: expect.stringContaining('Collapsed') as string,
      })
    },
  )

  test.each([
    [cell(0.8, 0.6, 0.9), cell(0.1, -0.2, 0.4), 'good', 'Rises along successful episodes (rank correlation'],
    [cell(0.8, 0.6, 0.9), cell(0.7, 0.5, 0.8), 'doubtful', 'as any clock would'],
    [cell(0.3, -0.1, 0.6), cell(0.1, -0.2, 0.4), 'doubtful', 'Not shown to rise'],
    [cell(0.8, 0.6, 0.9), undefined, 'doubtful', 'Rises along successful episodes (rank correlation'],
  ] as const)(
    'without true distances, the order along successes counts: %j beside %j',
    (success, failed, kind, text) => {
      const cells = { 'value/voc_expert': success, ...(failed && { 'value/voc_failed': failed }) }
      expect(judge(cells)).toMatchObject({ kind, text: expect.stringContaining(text) as string })
    },
  )

  test('where nothing can be judged, it says why', () => {
    const none = {
      estimate: null,
      low: null,
      high: null,
      episodes: 0,
      undefinedBecause: 'no successful episode has rewards',
    }
    expect(judge({ 'success/auc': none }).text).toContain('no successful episode has rewards')
  })

  test('never claims that a task was learned, and refuses to judge without numbers', () => {
    expect(judge({ 'value/voc_expert': cell(1, 1, 1, 'better') })).toMatchObject({ kind: 'doubtful' })
  })
})
