import { expect, test } from 'vitest'
import type { BatchKind } from '../../src/core/batches.ts'
import { Rng } from '../../src/core/rng.ts'
import { imageSpace } from '../../src/core/spaces.ts'
import type { BatchOptions } from '../../src/replay/batch-sampler.ts'
import { makeSampler } from '../../src/replay/batch-sampler.ts'
import { DatasetWindow } from '../../src/replay/dataset-window.ts'
import { FAKE_SPEC, FakeDataset } from './fake-dataset.ts'

const OPTIONS: BatchOptions = {
  frames: { augment: [{ kind: 'hue', maxDeg: 30 }] },
  'augmented-pairs': { augment: [{ kind: 'shift', maxPixels: 2 }] },
  'frame-tuples': { length: 3, stride: 5 },
  'multi-view': {},
  transitions: {},
  episodes: { length: 16 },
  context: {},
  'grasp-triplets': {},
}
const MIB = 2 ** 20

/** Bytes in use by arrays and objects, and of the whole process. */
function usedBytes(): { readonly live: number; readonly resident: number } {
  const { arrayBuffers, heapUsed, rss } = process.memoryUsage()
  return { live: arrayBuffers + heapUsed, resident: rss }
}

test('1,000 episodes of 200 frames stream through every sampler in flat memory', async () => {
  const camera = imageSpace(16, 16)
  const spec = { ...FAKE_SPEC, cameras: { scene: camera, outcome: camera } }
  const dataset = new FakeDataset(Array<number>(1000).fill(200), { spec })
  // 300 MB of frames in all; the window holds a hundredth of them.
  const window = await DatasetWindow.open(dataset, { budgetBytes: 3e6, rng: new Rng(1) })
  const samplers = (Object.keys(OPTIONS) as BatchKind[]).map((kind) =>
    makeSampler(kind, window, OPTIONS[kind], new Rng(2)),
  )
  const episodes = new Set<number>()
  let atFirst = usedBytes()
  let [live, resident] = [0, 0]
  for (let refreshes = 0; episodes.size < 1000; refreshes++) {
    for (const sampler of samplers) expect(sampler.sample(16).count).toBe(16)
    for (let i = 0; i < window.episodeCount; i++) episodes.add(window.infoOf(i).index)
    await window.refresh()
    const now = usedBytes()
    // The first hundred episodes are for the compiler and the collector to find their level.
    if (refreshes < 100)
      atFirst = { live: Math.max(atFirst.live, now.live), resident: Math.max(atFirst.resident, now.resident) }
    live = Math.max(live, now.live)
    resident = Math.max(resident, now.resident)
  }
  expect(dataset.reads.length).toBeLessThan(1100)
  expect((live - atFirst.live) / MIB).toBeLessThan(64)
  expect((resident - atFirst.resident) / MIB).toBeLessThan(96)
})
