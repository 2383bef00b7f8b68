import { afterAll, describe, expect, it } from 'vitest'
import { makeEnv as makeCatalogueEnv } from '../../envs/index.ts'
import { makeVectorEnv } from '../../envs/vector/index.ts'
import type { Env, Info, Observation } from '../../src/core/env.ts'
import { sizeOf } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import type { AutoresetMode, VectorEnv, VectorObservation, VectorStepResult } from '../../src/core/vector-env.ts'
import { ACTION, makeEnv as makeOddEnv } from '../envs/vector/odd-envs.ts'

const MODES: readonly AutoresetMode[] = ['next-step', 'same-step', 'disabled']
const MODULE = new URL('../envs/vector/odd-envs.ts', import.meta.url).href
const ODD = 'test/Odd-v0'
/** Threads start slowly where many processes share a core. */
const SLOW_MS = 600_000
const NUM_ENVS = 5
const STEPS = 200

/** One env's share of what a vector env shows. */
interface Shown {
  readonly arrays: Readonly<Record<string, readonly number[]>>
  readonly info: Info
  readonly reward?: number
  readonly terminated?: boolean
  readonly truncated?: boolean
  readonly final?: { readonly arrays: Shown['arrays']; readonly info: Info } | undefined
}

/** What the modes mean, spelt out over one env. */
class SingleEnv {
  readonly #env: Env
  readonly #mode: AutoresetMode
  isOver = false

  constructor(env: Env, mode: AutoresetMode) {
    this.#env = env
    this.#mode = mode
  }

  async reset(seed?: number): Promise<Shown> {
    const { observation, info } = await this.#env.reset(seed === undefined ? {} : { seed })
    this.isOver = false
    return { arrays: listed(observation), info }
  }

  async step(action: Float32Array): Promise<Shown> {
    if (this.isOver && this.#mode === 'next-step') {
      return { ...(await this.reset()), reward: 0, terminated: false, truncated: false, final: undefined }
    }
    const { observation, reward, terminated, truncated, info } = await this.#env.step(action)
    const shown = { arrays: listed(observation), info, reward, terminated, truncated, final: undefined }
    this.isOver = terminated || truncated
    if (!this.isOver || this.#mode !== 'same-step') return shown
    return { ...shown, ...(await this.reset()), final: { arrays: shown.arrays, info } }
  }
}

function listed({ images, proprio, state }: Observation): Shown['arrays'] {
  const named = Object.entries(images).map(([name, image]) => [`images.${name}`, [...image]])
  return { ...Object.fromEntries(named), proprio: [...proprio], state: [...state] }
}

function rowOf(observation: VectorObservation, index: number, numEnvs: number): Shown['arrays'] {
  const row = <T extends Uint8Array | Float32Array>(array: T): T => {
    const size = array.length / numEnvs
    return array.slice(index * size, (index + 1) * size) as T
  }
  const images = Object.fromEntries(Object.entries(observation.images).map(([name, image]) => [name, row(image)]))
  return listed({ images, proprio: row(observation.proprio), state: row(observation.state) })
}

function stepOf(result: VectorStepResult, index: number): Shown {
  const final = result.finals[index]
  return {
    arrays: rowOf(result.observation, index, result.rewards.length),
    info: result.infos[index]!,
    reward: result.rewards[index]!,
    terminated: result.terminated[index] === 1,
    truncated: result.truncated[index] === 1,
    final: final && { arrays: listed(final.observation), info: final.info },
  }
}

function randomVectorActions({ spec, numEnvs }: VectorEnv, rng: Rng): Float32Array {
  // Never exactly one of the actions that make an odd env fail.
  return rng.fillUniform(new Float32Array(numEnvs * sizeOf(spec.actionSpace.shape)), -0.9, 0.4)
}

/** Steps a vector env beside single envs with seeds 10, 11, ... and expects the same from both; how many episodes ended. */
async function expectEqualEpisodes(envs: VectorEnv, singles: readonly SingleEnv[], steps: number): Promise<number> {
  const rng = new Rng(1)
  const size = sizeOf(envs.spec.actionSpace.shape)
  let ends = 0
  const first = await envs.reset({ seed: 10 })
  for (const [i, single] of singles.entries()) {
    const shown = { arrays: rowOf(first.observation, i, singles.length), info: first.infos[i] }
    expect(shown).toEqual(await single.reset(10 + i))
  }
  for (let step = 0; step < steps; step++) {
    const mask = singles.map(({ isOver }) => isOver)
    if (envs.autoreset === 'disabled' && mask.includes(true)) await expectEqualResets(envs, singles, mask)
    const actions = randomVectorActions(envs, rng)
    const result = await envs.step(actions)
    for (const [i, single] of singles.entries()) {
      const expected = await single.step(actions.slice(i * size, (i + 1) * size))
      expect(stepOf(result, i), `step ${step} of env ${i}`).toEqual(expected)
      if (expected.terminated || expected.truncated) ends++
    }
  }
  return ends
}

async function expectEqualResets(envs: VectorEnv, singles: readonly SingleEnv[], mask: boolean[]): Promise<void> {
  const { observation, infos } = await envs.reset({ mask })
  for (const [i, single] of singles.entries()) {
    if (mask[i] === true) {
      expect({ arrays: rowOf(observation, i, singles.length), info: infos[i] }).toEqual(await single.reset())
    } else {
      expect(infos[i]).toEqual({})
    }
  }
}

/** One test per case of the vector contract, with the envs in this thread (0 workers) or in others. */
export function vectorEnvContract(workers: number): void {
  const where = workers === 0 ? 'in this thread' : `${workers} threads`
  describe(`vector env contract: ${where}`, { timeout: SLOW_MS }, () => {
    const made: Promise<VectorEnv>[] = []
    const make = (autoreset: AutoresetMode, numEnvs = NUM_ENVS): Promise<VectorEnv> => {
      const envs = makeVectorEnv(ODD, { numEnvs, workers, autoreset, module: MODULE })
      made.push(envs)
      return envs
    }
    const shared: Partial<Record<AutoresetMode, Promise<VectorEnv>>> = {}
    /** Threads take long to start: cases that leave the envs usable share them. */
    const envsOf = (mode: AutoresetMode): Promise<VectorEnv> => (shared[mode] ??= make(mode))
    afterAll(async () => {
      for (const envs of await Promise.all(made)) await envs.close()
    })
    episodeCases(workers, envsOf)
    seedCases(envsOf)
    refusalCases(workers, envsOf)
    endCases(make)
  })
}

type EnvsOf = (mode: AutoresetMode) => Promise<VectorEnv>

function episodeCases(workers: number, envsOf: EnvsOf): void {
  it.each(MODES)('shows the episodes of single envs: %s, with ends of both kinds', async (mode) => {
    const singles = await Promise.all(Array.from({ length: NUM_ENVS }, makeOddEnv))
    const ends = await expectEqualEpisodes(
      await envsOf(mode),
      singles.map((env) => new SingleEnv(env, mode)),
      STEPS,
    )
    expect(ends).toBeGreaterThan(3 * NUM_ENVS)
  })

  it('shows the episodes of single envs: physics and cameras', async () => {
    const options = { size: 12, supersample: 'off', maxEpisodeSteps: 17, start: 'random', physics: 'scalar' }
    const envs = await makeVectorEnv('armature/PushPuck-v0', { numEnvs: 3, workers, options, autoreset: 'same-step' })
    const singles = await Promise.all(
      Array.from({ length: 3 }, () => makeCatalogueEnv('armature/PushPuck-v0', options)),
    )
    const ends = await expectEqualEpisodes(
      envs,
      singles.map((env) => new SingleEnv(env, 'same-step')),
      STEPS,
    )
    expect(ends).toBe(3 * Math.floor(STEPS / 17))
    await Promise.all([envs.close(), ...singles.map((env) => env.close())])
  })
}

function seedCases(envsOf: EnvsOf): void {
  const states = async (envs: VectorEnv, options: Parameters<VectorEnv['reset']>[0]): Promise<number[]> => [
    ...(await envs.reset(options)).observation.state,
  ]

  it('seeds env i with seed + i, or with seeds[i]', async () => {
    const envs = await envsOf('next-step')
    const seeded = await states(envs, { seed: 4 })
    expect(await states(envs, { seeds: [4, 5, 6, 7, 8] })).toEqual(seeded)
    expect(new Set(seeded).size).toBeGreaterThan(NUM_ENVS)
    const other = await states(envs, { seeds: [4, 4, 4, 4, 9] })
    expect(other.slice(2, 4)).toEqual(seeded.slice(0, 2))
    expect(other.slice(8)).not.toEqual(seeded.slice(8))
  })

  it('continues the streams without seeds', async () => {
    const envs = await envsOf('next-step')
    const first = [await states(envs, { seed: 4 }), await states(envs, {})]
    expect(first[1]).not.toEqual(first[0])
    expect([await states(envs, { seed: 4 }), await states(envs, {})]).toEqual(first)
    await envs.reset({ seed: 4 })
    const mixed = await states(envs, { seeds: [undefined, 5, undefined, undefined, undefined] })
    expect(mixed.slice(0, 2)).toEqual(first[1]!.slice(0, 2))
    expect(mixed.slice(2, 4)).toEqual(first[0]!.slice(2, 4))
  })

  it('resets only what the mask picks, and keeps the other rows', async () => {
    const envs = await envsOf('disabled')
    await envs.reset({ seed: 4 })
    const { observation } = await envs.step(new Float32Array(NUM_ENVS))
    const before = [...observation.state]
    const after = await states(envs, { seed: 20, mask: [false, true, false, false, false] })
    expect(after.slice(2, 4)).not.toEqual(before.slice(2, 4))
    expect([...after.slice(0, 2), ...after.slice(4)]).toEqual([...before.slice(0, 2), ...before.slice(4)])
    expect((await states(envs, { seed: 20 })).slice(2, 4)).toEqual(after.slice(2, 4))
  })
}

function refusalCases(workers: number, envsOf: EnvsOf): void {
  it('refuses actions outside their space and moves no env', async () => {
    const envs = await envsOf('next-step')
    await envs.reset({ seed: 0 })
    const before = [...(await envs.step(new Float32Array(NUM_ENVS))).observation.state]
    const bad = new Float32Array(NUM_ENVS)
    bad[3] = 1.5
    await expect(envs.step(bad)).rejects.toThrow(/action of env 3: got element what is 1.5/)
    await expect(envs.step(bad)).rejects.toMatchObject({ code: 'bad-value' })
    await expect(envs.step(new Float32Array(NUM_ENVS - 1))).rejects.toMatchObject({ code: 'bad-shape' })
    await envs.reset({ seed: 0 })
    const again = await envs.step(new Float32Array(NUM_ENVS))
    expect([...again.observation.state]).toEqual(before)
    expect([...again.observation.proprio]).toEqual([1, 1, 1, 1, 1])
  })

  it('refuses seeds and masks that do not fit', async () => {
    const envs = await envsOf('next-step')
    await expect(envs.reset({ seeds: [1, 2] })).rejects.toThrow(/expected 5 entries in seeds, got 2/)
    await expect(envs.reset({ mask: [true] })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(envs.reset({ seed: 1, seeds: [1, 2, 3, 4, 5] })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(envs.reset({ seed: 0.5 })).rejects.toMatchObject({ code: 'bad-argument' })
  })

  it('refuses a call before the last one has ended', async () => {
    const envs = await envsOf('next-step')
    await envs.reset({ seed: 0 })
    const actions = new Float32Array(NUM_ENVS)
    const [step, early, reset] = await Promise.allSettled([envs.step(actions), envs.step(actions), envs.reset()])
    expect(step.status).toBe('fulfilled')
    for (const refused of [early, reset]) expect(refused).toMatchObject({ reason: { code: 'bad-argument' } })
    expect([...(await envs.step(actions)).observation.proprio]).toEqual([2, 2, 2, 2, 2])
  })

  it('without autoreset refuses to step an env whose episode is over', async () => {
    const envs = await envsOf('disabled')
    await envs.reset({ seed: 0 })
    const play = async (): Promise<void> => {
      for (let i = 0; i <= envs.spec.maxEpisodeSteps; i++) await envs.step(new Float32Array(NUM_ENVS))
    }
    await expect(play()).rejects.toMatchObject({ code: 'needs-reset' })
    await envs.reset()
    await envs.step(new Float32Array(NUM_ENVS))
  })

  it('refuses what cannot be made', async () => {
    const attempt = (id: string, options: Record<string, unknown>, module?: string): Promise<VectorEnv> =>
      makeVectorEnv(id, { numEnvs: 1, workers, options, ...(module === undefined ? {} : { module }) })
    await expect(attempt('armature/PushPuk-v0', {})).rejects.toThrow(/did you mean armature\/PushPuck-v0\?/)
    await expect(attempt('armature/Pendulum-v1', { size: 4 })).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(attempt(ODD, {}, new URL('vector-env-cases.ts?none', import.meta.url).href)).rejects.toThrow()
  })
}

function endCases(make: (autoreset: AutoresetMode, numEnvs?: number) => Promise<VectorEnv>): void {
  it('needs a reset first, gives envs different seeds by itself, and can be closed twice', async () => {
    const envs = await make('next-step', 2)
    await expect(envs.step(new Float32Array(2))).rejects.toMatchObject({ code: 'needs-reset' })
    const unseeded = [...(await envs.reset()).observation.state]
    expect([...(await envs.reset({ seed: 0 })).observation.state]).toEqual(unseeded)
    await envs.close()
    await envs.close()
    await expect(envs.reset()).rejects.toMatchObject({ code: 'closed' })
    await expect(envs.step(new Float32Array(2))).rejects.toMatchObject({ code: 'closed' })
  })

  it('names the env that threw, its seed and its episode, and goes on after a reset', async () => {
    const envs = await make('next-step', 3)
    const actions = Float32Array.of(ACTION.count, ACTION.fail, ACTION.count)
    await envs.reset({ seed: 40 })
    await expect(envs.step(actions)).rejects.toMatchObject({
      code: 'env-failed',
      message: 'test/Odd-v0 env 1 of 3 (seed 41, episode 1): the belt slipped',
      cause: { message: 'the belt slipped' },
    })
    await expect(envs.step(new Float32Array(3))).rejects.toMatchObject({ code: 'needs-reset' })
    const fresh = [...(await envs.reset({ seed: 40 })).observation.state]
    let ends = 0
    while (ends < 2) ends += (await envs.step(new Float32Array(3))).infos[1]?.['draw'] === undefined ? 0 : 1
    await expect(envs.step(actions)).rejects.toThrow(/env 1 of 3 \(seed 41, episode 3\)/)
    expect([...(await envs.reset({ seed: 40 })).observation.state]).toEqual(fresh)
    await envs.close()
  })
}
