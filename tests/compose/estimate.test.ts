import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { modelOf } from '../../src/compose/load-run.ts'
import { trainRun } from '../../src/compose/train-run.ts'
import { Progress } from '../../src/log/progress.ts'
import { startEngine } from '../../src/tensor/engine.ts'

const place = mkdtempSync(join(tmpdir(), 'armature-test-estimate-'))

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

afterAll(() => rmSync(place, { recursive: true, force: true }))

const training = { learningStarts: 20, batchSize: 8, logEvery: 20, evalEpisodes: 1, finalEpisodes: 1 }
const SMALL: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  sac: { 'agent.config.hidden': [8] },
  deepmdp: {
    'agent.config': { hidden: [8], criticNorm: 'batch', normalizeObservations: true },
    'representation.proprio': true,
    'representation.config': { filters: 2, layers: 2, latentSize: 4, hidden: 8, target: 'momentum' },
    'env.options': { size: 24 },
    'replay.capacity': 1000,
  },
}

async function run(preset: string, name: string, isSilent: boolean) {
  const written: string[] = []
  const progress = new Progress({ stream: { write: (text) => written.push(text) }, clock: () => 0, isSilent })
  const settings = {
    ...SMALL[preset],
    ...Object.fromEntries(Object.entries(training).map(([k, v]) => [`training.${k}`, v])),
  }
  const set = Object.entries(settings).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  const { parts, folder } = await trainRun(preset, { steps: 60, seed: 3, set, out: join(place, name), progress })
  const model = Object.entries(modelOf(parts)).map(([array, { data }]) => [array, [...data]])
  return { text: written.join(''), model, metrics: readFileSync(join(folder.path, 'metrics.jsonl'), 'utf8') }
}

describe('train says before it starts what it will take', () => {
  it.each(Object.keys(SMALL))('%s: memory of the replay and time, which change nothing', async (preset) => {
    const shown = await run(preset, `${preset}-shown`, false)
    const silent = await run(preset, `${preset}-silent`, true)
    expect(silent.text).toBe('')
    expect(shown.text).toMatch(/^memory {2}replay of [\d,]+ observations [\d.,]+ MiB, all together [\d.,]+ MiB$/m)
    expect(shown.text).toMatch(/^time {4}about .* \(train 60 steps .*, evaluate 4 episodes .*\)$/m)
    expect(shown.model).toEqual(silent.model)
    expect(shown.metrics).toBe(silent.metrics)
  })
})
