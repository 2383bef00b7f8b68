import { describe, expect, test } from 'vitest'
import { built } from '../built.ts'
import { sets, SLOW_MS, startNode } from '../cli/helpers.ts'

interface Sample {
  readonly step: number
  readonly rss_mb: number
  readonly tensors: number
}

const SCRIPT = built('../../bench/soak.ts', import.meta.url)
const STEPS = 20_000
/** By then the replay has wrapped, every program is compiled and the allocators have what they keep. */
const WARM_STEPS = 6000
/** About 1 kB per step. */
const MAX_GROWTH_MB = 12

/** A small run in a process of its own, whose memory nobody else touches. */
async function soak(preset: string, settings: Readonly<Record<string, unknown>>): Promise<Sample[]> {
  const args = ['--expose-gc', SCRIPT, preset, '--steps', String(STEPS), ...sets(settings)]
  const { code, stdout, stderr } = await startNode(args, process.cwd()).finished
  expect(code, stderr).toBe(0)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample)
}

const SMALL = {
  'agent.config.hidden': [16, 16],
  'replay.capacity': 3000,
  'training.batchSize': 16,
  'training.updates': 1,
  'training.learningStarts': 200,
  'training.evalEvery': 2000,
  'training.checkpointEvery': 2000,
}

describe('memory stays flat over 20,000 training steps', { timeout: SLOW_MS }, () => {
  test.each([
    [
      'RIG with an encoder that goes on learning',
      'rig-push',
      { 'representation.refresh': { everySteps: 1000, updates: 5 } },
    ],
    ['rewards from pixels, with frames in replay', 'pixel-mse-push', {}],
  ])('%s', async (_what, preset, settings) => {
    const samples = await soak(preset, { ...SMALL, ...settings })
    expect(samples.at(-1)!.step).toBe(STEPS)
    const warm = samples.filter(({ step }) => step >= WARM_STEPS)
    expect(new Set(warm.map(({ tensors }) => tensors)).size).toBe(1)
    // Medians of the first and the last third: one sample may catch a buffer that is about to be freed.
    const third = Math.floor(warm.length / 3)
    const median = (part: readonly Sample[]): number => part.map((s) => s.rss_mb).toSorted((a, b) => a - b)[third >> 1]!
    expect(median(warm.slice(-third)) - median(warm.slice(0, third))).toBeLessThan(MAX_GROWTH_MB)
  })
})
