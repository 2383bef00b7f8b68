import { describe, expect, test } from 'vitest'
import { makeEnv } from '../../envs/index.ts'
import { isSimulatedEnv } from '../../src/core/env.ts'
import { Rng } from '../../src/core/rng.ts'
import { collectFrames, joinFrames, startFrames } from '../../src/run/collect.ts'

describe('frames of random play', () => {
  test('start over from the named state every so many steps; the starts can be had apart', async () => {
    const env = await makeEnv('armature/PushPuck-v0')
    if (!isSimulatedEnv(env)) throw new Error('expected a simulated env')
    const options = { camera: 'front', count: 11, resetEvery: 4, start: 'goal' }
    const data = await collectFrames(env, new Rng(1), options)
    await env.close()
    expect([...data.episodes]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    const size = data.frames.length / data.count
    const frame = (i: number): Uint8Array => data.frames.subarray(i * size, (i + 1) * size)
    expect(frame(4)).not.toEqual(frame(3))

    const starts = startFrames(data, 9)
    expect(starts.count).toBe(3)
    expect(starts.frames).toEqual(Uint8Array.from([0, 4, 8].flatMap((i) => [...frame(i)])))
    expect(startFrames(data, 8).count).toBe(2)
  })

  test('are joined in order', () => {
    const joined = joinFrames(
      { frames: Uint8Array.of(1, 2), count: 1 },
      { frames: Uint8Array.of(3, 4, 5, 6), count: 2 },
    )
    expect(joined).toEqual({ frames: Uint8Array.of(1, 2, 3, 4, 5, 6), count: 3 })
  })
})
