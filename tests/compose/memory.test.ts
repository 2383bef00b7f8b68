import { beforeAll, expect, it } from 'vitest'
import { resolveConfig } from '../../src/compose/config.ts'
import { memoryOf } from '../../src/compose/memory.ts'
import { buildParts } from '../../src/compose/parts.ts'
import { storeOptions } from '../../src/compose/trainer.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { startEngine } from '../../src/tensor/engine.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

it.each(['pixels', 'rig-push', 'pixel-mse-push', 'sac'])(
  'the replay of %s is no larger than is said before',
  async (preset) => {
    const parts = await buildParts(resolveConfig(preset, { set: ['replay.capacity=20000'] }))
    const said = memoryOf(parts)[0]!.bytes
    const before = process.memoryUsage().arrayBuffers
    const store = new EpisodeStore(storeOptions(parts))
    const taken = process.memoryUsage().arrayBuffers - before
    expect(store.options.capacity).toBe(20_000)
    expect(taken).toBeLessThanOrEqual(said)
    // A collection of garbage in between would only make it less.
    expect(taken).toBeGreaterThan(0.5 * said)
    await parts.env.close()
  },
)
