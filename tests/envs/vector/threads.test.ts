import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { InfoBoard } from '../../../envs/vector/info-board.ts'
import { makeVectorEnv } from '../../../envs/vector/index.ts'
import { vectorArrays, vectorBytes } from '../../../envs/vector/vector-arrays.ts'
import { sizeOf } from '../../../src/core/ndarray.ts'
import { Rng } from '../../../src/core/rng.ts'
import type { VectorEnv } from '../../../src/core/vector-env.ts'
import { built } from '../../built.ts'
import { ACTION, makeEnv as makeOddEnv } from './odd-envs.ts'

/** Threads start slowly where many processes share a core. */
const SLOW_MS = 600_000
const MODULE = new URL('./odd-envs.ts', import.meta.url).href

function makeOdd(numEnvs: number, workers: number): Promise<VectorEnv> {
  return makeVectorEnv('test/Odd-v0', { numEnvs, workers, module: MODULE })
}

describe('envs in threads', { timeout: SLOW_MS }, () => {
  it('a thread that dies fails with the env and its seed, and everything closes', async () => {
    const envs = await makeOdd(4, 2)
    await envs.reset({ seed: 70 })
    await expect(
      envs.step(Float32Array.of(ACTION.count, ACTION.count, ACTION.count, ACTION.endThread)),
    ).rejects.toMatchObject({
      code: 'env-failed',
      message: 'test/Odd-v0 env 3 of 4 (seed 73, episode 1): its thread ended with code 3',
    })
    await expect(envs.reset()).rejects.toMatchObject({ code: 'closed' })
    await envs.close()
  })

  it('close ends a step that never would', async () => {
    const envs = await makeOdd(2, 1)
    await envs.reset({ seed: 0 })
    const step = envs.step(Float32Array.of(ACTION.count, ACTION.hang))
    const [outcome] = await Promise.allSettled([step, envs.close()])
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'closed' } })
  })

  it('do nothing when a notification comes after its request was answered', async () => {
    const envs = await makeOdd(2, 1)
    await envs.reset({ seed: 0 })
    const notify: (control: Int32Array, index: number) => number = Atomics.notify.bind(Atomics)
    const spy = vi.spyOn(Atomics, 'notify').mockImplementation((array, index) => {
      const control = array as unknown as Int32Array
      const woken = notify(control, index)
      // By now the step that this woke is done, and the thread sleeps again.
      const endMs = performance.now() + 20
      while (performance.now() < endMs);
      return woken + notify(control, index)
    })
    try {
      for (let step = 1; step <= 3; step++) {
        const { observation } = await envs.step(new Float32Array(2))
        expect([...observation.proprio]).toEqual([step, step])
      }
      await envs.reset({ seed: 0 })
      expect([...(await envs.step(new Float32Array(2))).observation.proprio]).toEqual([1, 1])
    } finally {
      spy.mockRestore()
    }
    await envs.close()
  })

  it('do not keep a process alive that forgets to close them', async () => {
    const script = built('forgets-close.ts', import.meta.url)
    const { stdout } = await promisify(execFile)(process.execPath, [script], {
      timeout: SLOW_MS / 2,
    })
    expect(JSON.parse(stdout)).toEqual([1 / 3, 1 / 3])
  })

  it('show the same bytes as in this thread over 1000 steps of PushPuck', async () => {
    const hashes: string[] = []
    for (const workers of [0, 1]) {
      const options = { size: 16, start: 'random' }
      const envs = await makeVectorEnv('armature/PushPuck-v0', { numEnvs: 2, workers, options })
      hashes.push(await hashOfPlay(envs, 1000))
      await envs.close()
    }
    expect(hashes[1]).toBe(hashes[0])
  })
})

async function hashOfPlay(envs: VectorEnv, steps: number): Promise<string> {
  const hash = createHash('sha256')
  const rng = new Rng(5)
  const actions = new Float32Array(envs.numEnvs * sizeOf(envs.spec.actionSpace.shape))
  await envs.reset({ seed: 5 })
  for (let step = 0; step < steps; step++) {
    const { observation, rewards, terminated, truncated, infos } = await envs.step(rng.fillUniform(actions, -1, 1))
    for (const image of Object.values(observation.images)) hash.update(image)
    hash.update(observation.state).update(observation.proprio).update(rewards)
    hash.update(terminated).update(truncated).update(JSON.stringify(infos))
  }
  return hash.digest('hex')
}

describe('shared memory', () => {
  it('infos come out as they went in, also when their keys change', () => {
    const buffer = new SharedArrayBuffer(InfoBoard.bytes(2))
    const [writer, reader] = [new InfoBoard(buffer, 2), new InfoBoard(buffer, 2)]
    expect(reader.read(1)).toEqual({})
    for (const info of [{ a: 1, 'ö"': Number.NaN }, { 'ö"': 2, a: 0.1 }, {}, { a: -0 }, { b: 1e300 }]) {
      writer.write(1, info)
      const read = reader.read(1)
      expect(Object.entries(read)).toEqual(Object.entries(info))
      expect(reader.read(0)).toEqual({})
    }
  })

  it('refuses an info that is too large', () => {
    const board = new InfoBoard(new SharedArrayBuffer(InfoBoard.bytes(1)), 1)
    const large = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`value${i}`, i]))
    expect(() => board.write(0, large)).toThrow(/at most 128 values/)
  })

  it('no two arrays overlap, and rows follow each other', async () => {
    const { spec } = await makeOddEnv()
    const arrays = vectorArrays(spec, 3, new SharedArrayBuffer(vectorBytes(spec, 3)))
    const all = [
      arrays.actions,
      arrays.rewards,
      arrays.terminated,
      arrays.truncated,
      ...arrays.rows,
      ...arrays.finalRows,
    ]
      .flatMap((item) => ('images' in item ? [...Object.values(item.images), item.proprio, item.state] : [item]))
      .map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength] as const)
      .toSorted(([a], [b]) => a - b)
    for (const [i, [start]] of all.entries()) if (i > 0) expect(start).toBeGreaterThanOrEqual(all[i - 1]![1])
    arrays.rows[2]!.images['eye']!.fill(7)
    expect(arrays.observation.images['eye']!.slice(-37)).toEqual(new Uint8Array(37).fill(7, 1))
  })
})
