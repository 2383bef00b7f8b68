import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Dbc } from '../../encoders/dbc/dbc.ts'
import { saveAgent } from '../../src/compose/agent-file.ts'
import { resolveConfig } from '../../src/compose/config.ts'
import { featuresOf } from '../../src/compose/learned-network.ts'
import { modelOf, restoreModel } from '../../src/compose/load-run.ts'
import { makeAgent, makeEncoder } from '../../src/compose/make.ts'
import type { Parts } from '../../src/compose/parts.ts'
import { buildParts } from '../../src/compose/parts.ts'
import { buildTrainer } from '../../src/compose/trainer.ts'
import type { PixelTransitionBatch } from '../../src/core/batches.ts'
import type { LearningEncoder } from '../../src/core/encoder.ts'
import { Rng } from '../../src/core/rng.ts'
import type { Trainer } from '../../src/run/trainer.ts'
import { startEngine } from '../../src/tensor/engine.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const [SIZE, ACTIONS, LATENTS] = [7, 2, 6]
const SMALL = { latentSize: LATENTS, hidden: 16, learningRate: 3e-3 }

/** Vectors of which an action moves the first two numbers, and the rest is noise; the reward is the first. */
function steps(count: number, rewarded = true, seed = 1): PixelTransitionBatch {
  const rng = new Rng(seed)
  const frames = rng.fillNormal(new Float32Array(count * SIZE))
  const nextFrames = rng.fillNormal(new Float32Array(count * SIZE))
  const actions = rng.fillUniform(new Float32Array(count * ACTIONS), -1, 1)
  for (let i = 0; i < count * ACTIONS; i++) {
    const at = Math.floor(i / ACTIONS) * SIZE + (i % ACTIONS)
    nextFrames[at] = frames[at]! + actions[i]!
  }
  const rewards = Float32Array.from({ length: count }, (_, i) => (rewarded ? frames[i * SIZE]! : 0))
  const numbers = new Int32Array(count)
  return {
    count,
    frames,
    nextFrames,
    actions,
    rewards,
    notDone: new Float32Array(count).fill(1),
    episodes: numbers,
    times: numbers,
  }
}

const makeDbc = (config: object = {}): Dbc =>
  makeEncoder('dbc', [SIZE], new Rng(1), { ...SMALL, ...config }, ACTIONS) as Dbc

async function learned(encoder: LearningEncoder<'transitions'>, updates: number, rewarded = true): Promise<number[]> {
  const losses: number[] = []
  for (let i = 0; i < updates; i++) losses.push((await encoder.update(steps(64, rewarded, i))).loss!)
  return losses
}

/** Lengths of the latents of a batch. */
async function norms(encoder: Dbc): Promise<number[]> {
  const { frames, count } = steps(50, true, 99)
  const latents = await encoder.encode({ frames: frames as Float32Array, count })
  return Array.from({ length: count }, (_, i) => Math.hypot(...latents.subarray(i * LATENTS, (i + 1) * LATENTS)))
}

describe('encoders of vectors', () => {
  it.each(['dbc', 'trunk'])('%s encodes each row by itself, and takes back its weights', async (name) => {
    const [encoder, other] = [1, 2].map((seed) =>
      makeEncoder(name, [SIZE], new Rng(seed), { latentSize: LATENTS }, ACTIONS),
    )
    const { frames } = steps(70)
    const encode = (each: typeof encoder, rows: Float32Array): Promise<Float32Array> =>
      (each as Dbc).encode({ frames: rows, count: rows.length / SIZE })
    const latents = await encode(encoder, frames as Float32Array)
    const alone = await encode(encoder, frames.slice(3 * SIZE, 4 * SIZE) as Float32Array)
    alone.forEach((x, i) => expect(x).toBeCloseTo(latents[3 * LATENTS + i]!, 5))
    expect(await encode(other, frames as Float32Array)).not.toEqual(latents)
    other!.restore(encoder!.save())
    expect(await encode(other, frames as Float32Array)).toEqual(latents)
    const wider = makeEncoder(name, [SIZE + 1], new Rng(1), { latentSize: LATENTS }, ACTIONS)
    expect(() => wider.restore(encoder!.save())).toThrow(/vectors of 8 numbers.*vectors of 7 numbers/)
    expect(featuresOf(encoder!)).toMatchObject({ inputShape: [SIZE], isVector: true, size: LATENTS })
    for (const each of [encoder!, other!, wider]) each.dispose()
  })

  it('have hidden layers of the sizes that are asked for', () => {
    const encoder = makeDbc({ vectorUnits: [9, 4] })
    const shapes = Object.entries(encoder.save()).flatMap(([name, { shape }]) =>
      name.startsWith('weights') && /encoder\/.*kernel/.test(name) ? [shape] : [],
    )
    expect(shapes).toEqual([
      [SIZE, 9],
      [9, 4],
      [4, LATENTS],
    ])
    encoder.dispose()
  })

  it('refuse frames, and encoders of frames refuse vectors', async () => {
    const encoder = makeDbc()
    await expect(encoder.encode({ frames: new Uint8Array(SIZE), count: 1 })).rejects.toThrow(/float32 \[1, 1, 1, 7\]/)
    expect(() => makeEncoder('beta-vae', [SIZE], new Rng(0))).toThrow(/frames alone.*deepmdp, dbc, trunk/)
    const looking = makeEncoder('dbc', [16, 16, 3], new Rng(0), { layers: 2 }, ACTIONS) as Dbc
    await expect(looking.encode({ frames: new Float32Array(768), count: 1 })).rejects.toThrow(/uint8 \[1, 16, 16, 3\]/)
    for (const each of [encoder, looking]) each.dispose()
  })

  it.each(['paper', 'released'] as const)('DBC learns from vectors (%s)', async (form) => {
    const encoder = makeDbc({ form, minStd: 0.1 })
    const losses = await learned(encoder, 150)
    const mean = (part: number[]): number => part.reduce((sum, x) => sum + x, 0) / part.length
    expect(mean(losses.slice(-20))).toBeLessThan(0.7 * mean(losses.slice(0, 20)))
    encoder.dispose()
  })
})

describe('the repairs of DBC on vectors', () => {
  it('the norm bound holds the latents in its ball, where nothing else does', async () => {
    const [free, bounded] = [makeDbc({ gamma: 0.99 }), makeDbc({ gamma: 0.99, normBound: 1 })]
    for (const encoder of [free, bounded]) await learned(encoder, 60)
    expect(Math.max(...(await norms(free)))).toBeGreaterThan(1.5)
    expect(Math.max(...(await norms(bounded)))).toBeLessThan(1.00001)
    for (const encoder of [free, bounded]) encoder.dispose()
  })

  it('inverse dynamics keep what actions move, where no reward tells anything apart', async () => {
    const inverse = makeDbc({ inverseWeight: 10 })
    await learned(inverse, 400, false)
    const { inverse: error } = await inverse.evaluate(steps(256, false, 7777))
    // Half of an action's range is what a guess of 0 is off by, on average.
    expect(error).toBeLessThan(0.3)
    inverse.dispose()
  })

  it('pays for what its model does not know, up to the largest error that is paid for', async () => {
    const batch = steps(20)
    const [plain, paying, capped] = [
      makeDbc(),
      makeDbc({ intrinsicWeight: 3, intrinsicMax: 1e9 }),
      makeDbc({ intrinsicWeight: 3, intrinsicMax: 0.01 }),
    ]
    expect(plain.bonus).toBeUndefined()
    const errors = await paying.surprise(batch)
    expect(new Set(errors).size).toBe(20)
    expect(await paying.bonus!(batch)).toEqual(errors.map((error) => 3 * error))
    const paid = await capped.bonus!(batch)
    errors.forEach((error, i) => expect(paid[i]).toBeCloseTo(3 * Math.min(error, 0.01), 6))
    // What it has learned to foresee pays less: of all but the noise.
    for (const encoder of [plain, paying, capped]) encoder.dispose()
  })
})

describe('SAC through a network of its vector', () => {
  const spec = { observationSize: SIZE, actionSize: ACTIONS }

  it('sees nothing but what the network makes of it, and trains it by its critics alone', async () => {
    const encoder = makeEncoder('trunk', [SIZE], new Rng(1), { latentSize: LATENTS })
    const agent = makeAgent('sac', spec, new Rng(2), { hidden: [16] }, featuresOf(encoder))
    expect(agent.spec).toMatchObject({ observationSize: SIZE, hasVectorNetwork: true })
    expect(agent.spec.frameShape).toBeUndefined()
    const { frames, nextFrames, actions, rewards, count, notDone } = steps(16)
    const [observation, nextObservation] = [frames as Float32Array, nextFrames as Float32Array]
    const many = await agent.act(observation, count, 'mean')
    const alone = await agent.act(observation.slice(SIZE, 2 * SIZE), 1, 'mean')
    alone.forEach((x, i) => expect(x).toBeCloseTo(many[ACTIONS + i]!, 5))
    const before = structuredClone(encoder.save())
    await agent.update({
      size: count,
      observation,
      nextObservation,
      action: actions,
      reward: rewards,
      discount: notDone,
    })
    expect(encoder.save()).not.toEqual(before)
    // Whatever the agent itself has kept, other weights of the network show it something else.
    encoder.restore(before)
    const original = await agent.act(observation, count, 'mean')
    encoder.restore(
      Object.fromEntries(
        Object.entries(before).map(([name, { data, shape }]) => [
          name,
          name.startsWith('weights') ? { data: (data as Float32Array).map((x) => -x), shape } : { data, shape },
        ]),
      ),
    )
    expect(await agent.act(observation, count, 'mean')).not.toEqual(original)
    for (const each of [agent, encoder]) each.dispose()
  })

  it('leaves the network to its own learner where it is told to', async () => {
    const encoder = makeEncoder('trunk', [SIZE], new Rng(1), { latentSize: LATENTS })
    const agent = makeAgent('sac', spec, new Rng(2), { hidden: [16], trainFeatures: false }, featuresOf(encoder))
    const before = structuredClone(encoder.save())
    const { frames, nextFrames, actions: action, rewards: reward, count: size, notDone: discount } = steps(16)
    const [observation, nextObservation] = [frames as Float32Array, nextFrames as Float32Array]
    await agent.update({ size, observation, nextObservation, action, reward, discount })
    expect(encoder.save()).toEqual(before)
    for (const each of [agent, encoder]) each.dispose()
  })

  it('refuses to normalise before the network, and to be kept without it', async () => {
    const encoder = makeEncoder('trunk', [SIZE], new Rng(1), { latentSize: LATENTS })
    const make = (config: object) => makeAgent('sac', spec, new Rng(2), config, featuresOf(encoder))
    expect(() => make({ normalizeObservations: true })).toThrow(/normalizeObservations.*false/)
    const agent = make({ hidden: [8] })
    const folder = await mkdtemp(join(tmpdir(), 'armature-vectors-'))
    await expect(saveAgent(agent, join(folder, 'agent.safetensors'))).rejects.toThrow(/through a network of an encoder/)
    await rm(folder, { recursive: true })
    for (const each of [agent, encoder]) each.dispose()
  })
})

const RUN = [
  'env.options={"reward":"sparse","noiseDims":3,"size":1,"supersample":"off","maxEpisodeSteps":25}',
  'agent.config={"hidden":[8]}',
  'training.batchSize=16',
  'training.learningStarts=40',
  'training.logEvery=20',
]
const DBC_RUN = (config: object): string[] => [
  ...RUN,
  'representation.encoder=dbc',
  `representation.config=${JSON.stringify({ ...SMALL, inverseWeight: 1, normBound: 5, ...config })}`,
]

async function started(
  set: readonly string[],
  steps: number,
  preset = 'vectors',
): Promise<{ parts: Parts; trainer: Trainer }> {
  const parts = await buildParts(resolveConfig(preset, { seed: 3, steps, set }))
  return { parts, trainer: await buildTrainer(parts) }
}

async function played(trainer: Trainer, until = Infinity): Promise<number[]> {
  const returns: number[] = []
  const stop = new AbortController()
  const progress = (step: number): void => {
    if (step >= until) stop.abort()
  }
  await trainer.run({ log: () => {}, progress, episode: (episode) => returns.push(episode.return) }, stop.signal)
  return returns
}

async function stored(
  trainer: Trainer,
): Promise<{ rewards: Float32Array; features: Float32Array; actions: Float32Array }> {
  const { arrays } = await trainer.save()
  const all = Object.assign({}, ...Object.values(arrays)) as Record<string, { readonly data: Float32Array }>
  return { rewards: all['rewards']!.data, features: all['features']!.data, actions: all['actions']!.data }
}

describe('runs of kind vectors', () => {
  it('store what the encoder pays with the reward, and score episodes without it', async () => {
    const [plain, paying] = [
      await started(DBC_RUN({}), 24),
      await started(DBC_RUN({ intrinsicWeight: 2, intrinsicMax: 1e9 }), 24),
    ]
    await played(plain.trainer)
    await played(paying.trainer)
    const [without, beside] = [await stored(plain.trainer), await stored(paying.trainer)]
    expect(beside.features).toEqual(without.features)
    const size = 5 + 3
    expect(paying.parts.representation.size).toBe(size)
    const expected = await paying.parts.encoder!.bonus!({
      count: 24,
      frames: beside.features.slice(0, 24 * size),
      nextFrames: beside.features.slice(size, 25 * size),
      actions: beside.actions.slice(0, 24),
    })
    expect(Math.min(...expected)).toBeGreaterThan(0)
    expected.forEach((bonus, i) => expect(beside.rewards[i]! - without.rewards[i]!).toBeCloseTo(bonus, 4))
    for (const { parts } of [plain, paying]) await parts.env.close()
  })

  it('and those of kind pixels are paid for what they see, too', async () => {
    const config = { latentSize: 4, filters: 4, layers: 2, hidden: 8 }
    const set = (intrinsicWeight: number): string[] => [
      'env.options={"reward":"sparse","size":12}',
      'agent.config={"hidden":[8]}',
      `representation.config=${JSON.stringify({ ...config, intrinsicWeight, intrinsicMax: 1e9 })}`,
    ]
    const runs = [await started(set(0), 6, 'dbc'), await started(set(2), 6, 'dbc')]
    for (const { trainer } of runs) await played(trainer)
    const [without, beside] = [(await stored(runs[0]!.trainer)).rewards, (await stored(runs[1]!.trainer)).rewards]
    for (let i = 0; i < 6; i++) expect(beside[i]).toBeGreaterThan(without[i]!)
    for (const { parts } of runs) await parts.env.close()
  })

  it('score episodes by the reward of the env alone', async () => {
    const { parts, trainer } = await started(DBC_RUN({ intrinsicWeight: 2 }), 25)
    const [score] = await played(trainer)
    expect(Number.isInteger(score)).toBe(true)
    await parts.env.close()
  })

  it.each([
    ['DBC with its repairs', DBC_RUN({ intrinsicWeight: 2 })],
    ['DeepMDP', [...RUN, 'representation.encoder=deepmdp', `representation.config=${JSON.stringify(SMALL)}`]],
    ['the trunk alone, on proprioception', [...RUN, 'representation.sees=proprio']],
  ])('%s: stopped and resumed equals straight through, bit for bit', async (_name, set) => {
    const straight = await started(set, 70)
    await played(straight.trainer)
    const first = await started(set, 70)
    await played(first.trainer, 53)
    expect(first.trainer.step).toBe(53)
    const [state, model] = [await first.trainer.save(), structuredClone(modelOf(first.parts))]
    const second = await started(set, 70)
    restoreModel(second.parts, model)
    await second.trainer.restore(structuredClone(state))
    await played(second.trainer)
    expect(modelOf(second.parts)).toEqual(modelOf(straight.parts))
    expect(await stored(second.trainer)).toEqual(await stored(straight.trainer))
    expect(modelOf(second.parts)).not.toEqual(model)
    for (const { parts } of [straight, first, second]) await parts.env.close()
  })

  it('refuse what makes no sense', async () => {
    const attempt = (...set: string[]) => started([...RUN, ...set], 10)
    await expect(attempt('representation.encoder=curl')).rejects.toThrow(/frames alone/)
    await expect(attempt('agent.config.normalizeObservations=true')).rejects.toThrow(/normalizeObservations/)
    await expect(attempt('goals={}')).rejects.toThrow(/representation.kind vectors/)
    await expect(started([...DBC_RUN({ intrinsicWeight: 1 }), 'representation.ownUpdates=0'], 10)).rejects.toThrow(
      /ownUpdates/,
    )
    const pretrained = ['representation.encoder=dbc', 'representation.config={"intrinsicWeight":1}']
    await expect(started(pretrained, 10, 'rig-push')).rejects.toThrow(/representation.kind.*pixels or vectors/)
  })
})
