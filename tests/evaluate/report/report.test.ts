import { beforeAll, describe, expect, test } from 'vitest'
import { Rng } from '../../../src/core/rng.ts'
import { stateEmbedder } from '../../../src/evaluate/report/embed.ts'
import { isCore } from '../../../src/evaluate/report/core-measures.ts'
import { reportPage } from '../../../src/evaluate/report/page.ts'
import { makeRewardsReport } from '../../../src/evaluate/report/rewards-report.ts'
import { encodeJson } from '../../../src/io/json.ts'
import { projection, syntheticDataset, TASK } from './fixture.ts'

type Made = Awaited<ReturnType<typeof makeRewardsReport>>

async function make(): Promise<Made> {
  const dataset = syntheticDataset(3)
  return makeRewardsReport({
    dataset,
    participants: [
      { embedder: projection('<mine>', 6, 1), role: 'candidate', source: 'runs/mine', hash: 'ab' },
      { embedder: projection('constant', 3, 0), role: 'candidate', source: 'runs/constant' },
      { embedder: projection('random', 12, 1), role: 'baseline', source: 'control' },
      { embedder: stateEmbedder('state', 4, TASK), role: 'oracle', source: 'states' },
    ],
    baseline: 'random',
    task: TASK,
    testEpisodes: dataset.episodes.map(({ index }) => index),
    rng: new Rng(5),
    provenance: {
      dataset: dataset.path,
      datasetHash: 'cd'.repeat(32),
      env: dataset.spec.source,
      seed: 5,
      trainEpisodes: [],
      counts: [{ policy: 'scripted', train: 0, test: 3, successes: 3 }],
      versions: { node: '20' },
      command: 'armature rewards runs/mine --data "data <1>"',
      problems: ['data/file-003.parquet: cut off'],
    },
    onProgress: () => {},
  })
}

let made: Made
let page: string
beforeAll(async () => {
  made = await make()
  page = reportPage(made.report, made.drawing, 12)
}, 120_000)

const encoder = (name: string) => made.report.encoders.find((each) => each.name === name)!

describe('report', () => {
  test('the oracle ranks progress best, and the paired interval says so', () => {
    const { estimate, standing } = encoder('state').cells['distance/spearman_episode']!
    expect(estimate).toBeGreaterThan(0.95)
    expect(standing).toBe('better')
    expect(encoder('state').verdict.kind).toBe('reference')
  })

  test('a constant embedding is called collapsed and has no rank correlation', () => {
    expect(encoder('constant').cells['distance/spearman_episode']).toMatchObject({ estimate: null })
    expect(encoder('constant').verdict).toMatchObject({
      kind: 'bad',
      text: expect.stringContaining('Collapsed') as string,
    })
  })

  test('the same seed gives the same bytes of JSON', async () => {
    const again = await make()
    expect(encodeJson(again.report, 'report')).toBe(encodeJson(made.report, 'report'))
    expect(made.report.schemaVersion).toBe(2)
  }, 120_000)
})

describe('figures', () => {
  const figures = (name: string) => made.drawing.encoders.find((each) => each.name === name)!.figures

  test('reversed curves are the successful ones backwards, of the same episodes', () => {
    const { curves } = figures('state')
    const forwards = curves.filter(({ kind }) => kind === 'successful')
    const backwards = curves.filter(({ kind }) => kind === 'reversed')
    expect(forwards).toHaveLength(3)
    expect(backwards.map(({ values }) => values.toReversed())).toEqual(forwards.map(({ values }) => values))
  })

  test('nothing within the success radius is called a hack, and the best-paid comes first', () => {
    const radius = made.report.provenance.successRadius!
    const { hacks } = figures('<mine>')
    expect(hacks.length).toBeGreaterThan(0)
    expect(hacks.every((hack) => hack.true > radius)).toBe(true)
    expect(hacks.map(({ reward }) => reward)).toEqual(hacks.map(({ reward }) => reward).toSorted((a, b) => b - a))
  })

  test('neighbours are of other episodes, one each, nearest first', () => {
    for (const { query, nearest } of figures('<mine>').retrievals) {
      const episodes = nearest.map(({ episode }) => episode)
      expect(new Set([query.episode, ...episodes]).size).toBe(6)
      expect(nearest.map(({ embedded }) => embedded)).toEqual(
        nearest.map(({ embedded }) => embedded).toSorted((a, b) => a - b),
      )
    }
  })

  test('heat maps put every frame into a cell, for the robot and the object', () => {
    const { heatMaps } = figures('state')
    expect(heatMaps.map(({ subject }) => subject)).toEqual(['hand', 'puck'])
    for (const { cells } of heatMaps) expect(cells.reduce((sum, { count }) => sum + count, 0)).toBe(12 * 21)
  })

  test('variance shares add up to 1, and those of a constant to 0', () => {
    const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)
    expect(total(figures('state').spectrum)).toBeCloseTo(1, 9)
    expect(total(figures('constant').spectrum)).toBe(0)
  })
})

describe('page', () => {
  test('needs nothing else: no script, no address, every picture inside', () => {
    expect(/<script|<link|@import|src="(?!data:)|href="(?!#)|url\(/.exec(page)?.[0]).toBeUndefined()
    expect(page.includes('src="data:image/png;base64,')).toBe(true)
    expect(page.length).toBeLessThan(3e6)
  })

  test('names from outside are text, not markup', () => {
    // Not `toContain`: a failure would print the page.
    const holds = (text: string): boolean => page.includes(text)
    expect([holds('<mine>'), holds('&lt;mine&gt;'), holds('data &lt;1&gt;')]).toEqual([false, true, true])
  })

  test('every link of the contents leads to a section, and all tags are closed', () => {
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g))
      expect([id, page.includes(`<section id="${id}"`)]).toEqual([id, true])
    for (const tag of ['section', 'figure', 'table', 'div', 'svg', 'p']) {
      expect([tag, page.match(new RegExp(`<${tag}[ >]`, 'g'))?.length]).toEqual([
        tag,
        page.match(new RegExp(`</${tag}>`, 'g'))?.length,
      ])
    }
  })

  test('shows the measures that were shown to predict, and all of them only when asked', () => {
    const shown = (text: string, name: string): boolean => text.includes(`<code>${name}</code>`)
    const all = reportPage(made.report, made.drawing, 12, true)
    const others = made.report.measures.filter(({ name }) => !isCore(name))
    expect(others.length).toBeGreaterThan(10)
    expect([
      page.includes(`${others.length} others`),
      all.includes(`All ${made.report.measures.length} measures`),
    ]).toEqual([true, true])
    expect(others.filter(({ name }) => shown(page, name) || !shown(all, name))).toEqual([])
    expect(page.includes('Ranks states across goals')).toBe(true)
  })

  test('says what was left out and what could not be read', () => {
    const facts = ['data/file-003.parquet: cut off', 'views/alignment_error']
    expect(facts.filter((fact) => !page.includes(fact))).toEqual([])
  })
})

test('without goals, states or outcomes there is no heading with nothing under it', () => {
  const none = { curves: [], pairs: [], heatMaps: [], retrievals: [], confusions: [], hacks: [] }
  const encoders = made.drawing.encoders.map((each) => ({ ...each, figures: { ...each.figures, ...none } }))
  const drawing = { ...made.drawing, encoders, truth: { curves: [], heatMaps: [] } }
  const bare = reportPage(made.report, drawing, 12)
  const ids = [...bare.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id)
  expect(ids).toEqual(['verdicts', 'table', 'dimensions', 'provenance'])
  expect([...bare.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)).toEqual(ids)
})
