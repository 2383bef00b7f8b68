import { describe, expect, test } from 'vitest'
import { built } from '../built.ts'
import { sets, SLOW_MS, startNode } from '../cli/helpers.ts'

interface Sample {
  readonly step: number
  /** Resident set. */
  readonly rss_mb: number
  /** What JavaScript holds, buffers included, after a garbage collection. */
  readonly js_mb: number
  readonly tensors: number
}

const SCRIPT = built('../../bench/soak.ts', import.meta.url)
const STEPS = 4000
/** By then the replay has wrapped and every program is compiled. */
const WARM_STEPS = 1500
/** Over the 1700 steps or so between the first and the last samples: a leak of 600 bytes a step shows. */
const MAX_JS_GROWTH_MB = 1
const MAX_RSS_GROWTH_MB = 12
/** Tells the allocator of glibc to give back what is free, or resident memory says little. */
const RETURNING_PAGES = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '65536', MALLOC_MMAP_THRESHOLD_: '65536' }

/** A small run in a process of its own, whose memory nobody else touches. */
async function soak(preset: string, settings: Readonly<Record<string, unknown>>): Promise<Sample[]> {
  const args = ['--expose-gc', SCRIPT, preset, '--steps', String(STEPS), ...sets(settings)]
  const { code, stdout, stderr } = await startNode(args, process.cwd(), RETURNING_PAGES).finished
  expect(code, stderr).toBe(0)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample)
}

const SMALL = {
  'agent.config.hidden': [16, 16],
  'replay.capacity': 1000,
  'training.batchSize': 16,
  'training.updates': 1,
  'training.learningStarts': 200,
  'training.logEvery': 250,
  'training.evalEvery': 1000,
  'training.checkpointEvery': 1000,
}

describe(`memory stays flat over ${STEPS} training steps`, { timeout: SLOW_MS }, () => {
  test.each([
    [
      'RIG with an encoder that goes on learning',
      'rig-push',
      { 'representation.refresh': { everySteps: 500, updates: 5 } },
    ],
    ['rewards from pixels, with frames in replay', 'pixel-mse-push', {}],
  ])('%s', async (_what, preset, settings) => {
    const samples = await soak(preset, { ...SMALL, ...settings })
    expect(samples.at(-1)!.step).toBe(STEPS)
    const warm = samples.filter(({ step }) => step >= WARM_STEPS)
    expect(new Set(warm.map(({ tensors }) => tensors)).size).toBe(1)
    // The least of the first and of the last third: a sample may catch buffers that are about to be freed.
    const third = Math.floor(warm.length / 3)
    const growthMb = (of: 'js_mb' | 'rss_mb'): number => {
      const least = (part: readonly Sample[]): number => Math.min(...part.map((sample) => sample[of]))
      return least(warm.slice(-third)) - least(warm.slice(0, third))
    }
    expect(growthMb('js_mb')).toBeLessThan(MAX_JS_GROWTH_MB)
    expect(growthMb('rss_mb')).toBeLessThan(MAX_RSS_GROWTH_MB)
  })
})
