import { beforeAll, describe, expect, test } from 'vitest'
import { encoders } from '../../encoders/index.ts'
import { PRESET_NAMES } from '../../encoders/shared/presets.ts'
import { pretrainConfigSchema } from '../../src/config/pretrain-config.ts'
import type { LearningEncoder } from '../../src/core/encoder.ts'
import { isLearning } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { batchOf, squareEpisodes, squareFrames } from '../contracts/encoder-cases.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const { source } = squareEpisodes()

function make(name: string, preset: string): LearningEncoder {
  const entry = encoders[name]!
  const config = entry.configSchema.parse(entry.presets![preset]!.config ?? {})
  const encoder = entry.create([48, 48, 3], config, new Rng(1), 2)
  if (!isLearning(encoder)) throw new Error(`${name} does not learn`)
  return encoder
}

const learned = Object.entries(encoders).filter(([, { presets }]) => presets !== undefined)

test('those that learn have presets, controls have none', () => {
  for (const [name, entry] of Object.entries(encoders)) {
    const encoder = entry.create([48, 48, 3], entry.configSchema.parse({}), new Rng(1), 2)
    expect(Object.keys(entry.presets ?? {}), name).toEqual(isLearning(encoder) ? PRESET_NAMES : [])
    encoder.dispose()
  }
})

describe.each(learned.map(([name, { presets }]) => [name, presets!] as const))('presets of %s', (name, presets) => {
  test.each(PRESET_NAMES)('%s builds its network for 48x48, and a step of it is finite', async (preset) => {
    const { config: _config, ...settings } = presets[preset]!
    expect(pretrainConfigSchema.parse({ encoder: name, ...settings })).toMatchObject(settings)
    const encoder = make(name, preset)
    await encoder.fitStatistics?.(squareFrames(16, new Rng(2)))
    const metrics = await encoder.update(batchOf(encoder, source, { count: 4 }))
    expect(Object.keys(metrics)).toContain('loss')
    for (const [term, value] of Object.entries(metrics)) expect([term, Number.isFinite(value)]).toEqual([term, true])
    encoder.dispose()
  })

  test('debug is smaller than default, and default than paper', () => {
    const [paper, standard, debug] = PRESET_NAMES.map((preset) => {
      const { updates, batchSize } = presets[preset]!
      const encoder = make(name, preset)
      const weights = Object.values(encoder.save()).reduce((sum, { data }) => sum + data.length, 0)
      encoder.dispose()
      return { rows: updates * batchSize, weights }
    })
    expect(debug!.weights).toBeLessThan(standard!.weights)
    expect(debug!.rows).toBeLessThan(1000)
    expect(standard!.rows).toBeLessThan(paper!.rows)
  })
})
