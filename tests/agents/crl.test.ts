import { beforeAll, describe, expect, it } from 'vitest'
import type { CrlConfig } from '../../agents/crl/config.ts'
import { crlConfigSchema } from '../../agents/crl/config.ts'
import { actorLoss, allScores, Crl, infoNceLoss, nceLoss, ownScores, withRandomGoals } from '../../agents/crl/crl.ts'
import { goalForm } from '../../src/compose/goal-forms.ts'
import { latentDistanceReward } from '../../src/compose/goal-rewards.ts'
import type { NamedArrays } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import type { GoalSampling } from '../../src/replay/sampler.ts'
import { sampleTransitions } from '../../src/replay/sampler.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { randomBatch } from '../contracts/agent-cases.ts'
import { array, ENGINES, evaluate, finiteDifference, worstError } from '../tensor/numerics.ts'

const SPEC = { observationSize: 3, actionSize: 2, goalSize: 1 }

function makeCrl(config: Partial<CrlConfig>, spec: typeof SPEC = SPEC): Crl {
  return new Crl(spec, crlConfigSchema.parse({ hidden: [8], embeddingSize: 4, ...config }), new Rng(1))
}

/** All arrays whose names start with `part`, end to end. */
function valuesOf(arrays: NamedArrays, part: string): number[] {
  return Object.entries(arrays).flatMap(([name, { data }]) => (name.startsWith(`${part}/`) ? [...data] : []))
}

beforeAll(async () => {
  await startEngine()
})

describe('CRL losses', () => {
  const scores = [0.5, -1, 2, 0.3, 1.5, -0.7, -2, 0.1, 0.9]
  const at = (x: readonly number[], i: number, j: number): number => x[3 * i + j]!
  const all = [0, 1, 2]

  it('nce is logistic regression, own goals against all others, each side weighing one', async () => {
    const expected = (x: readonly number[]): number =>
      all.reduce((sum, i) => sum + Math.log1p(Math.exp(-at(x, i, i))) / 3, 0) +
      all.reduce(
        (sum, i) => sum + all.reduce((part, j) => part + (i === j ? 0 : Math.log1p(Math.exp(at(x, i, j))) / 6), 0),
        0,
      )
    const { value, gradients } = await evaluate(nceLoss, array(scores, [3, 3]))
    expect(value[0]).toBeCloseTo(expected(scores), 6)
    expect(worstError(gradients[0]!, finiteDifference(expected, scores))).toBeLessThan(1e-5)
  })

  it('infonce is the cross-entropy of rows and of columns, with a penalty on the level of the rows', async () => {
    const logSumExp = (values: readonly number[]): number => Math.log(values.reduce((sum, x) => sum + Math.exp(x), 0))
    const expected = (x: readonly number[]): number =>
      all.reduce((sum, i) => {
        const [row, column] = [logSumExp(all.map((j) => at(x, i, j))), logSumExp(all.map((j) => at(x, j, i)))]
        return sum + (row + column - 2 * at(x, i, i) + 0.1 * row ** 2) / 3
      }, 0)
    const { value, gradients } = await evaluate((x) => infoNceLoss(x, 0.1), array(scores, [3, 3]))
    expect(value[0]).toBeCloseTo(expected(scores), 5)
    expect(worstError(gradients[0]!, finiteDifference(expected, scores))).toBeLessThan(1e-5)
    // Nothing told apart among 3, in both directions.
    const flat = await evaluate((x) => infoNceLoss(x, 0), array(new Float32Array(9), [3, 3]))
    expect(flat.value[0]).toBeCloseTo(2 * Math.log(3), 6)
  })

  it.each([
    ['product', 1 * 4 + 2 * 6, 1 * 1 + 2 * 1],
    ['distance', -Math.hypot(1 - 4, 2 - 6), -Math.hypot(1 - 1, 2 - 1)],
  ] as const)('%s of embeddings', async (similarity, first, second) => {
    const [phi, psi] = [array([1, 2, 0, 3], [2, 2]), array([4, 6, 1, 1], [2, 2])]
    const matrix = await evaluate((a, b) => allScores(a, b, similarity), phi, psi)
    expect(matrix.value.slice(0, 2)).toEqual([expect.closeTo(first, 5), expect.closeTo(second, 5)])
    const own = await evaluate((a, b) => ownScores(a, b, similarity), phi, psi)
    expect(worstError(own.value, [matrix.value[0]!, matrix.value[3]!])).toBeLessThan(1e-6)
  })

  it('the actor loss rewards score and entropy', async () => {
    const { value, gradients } = await evaluate(actorLoss, array([1, 2, -3]), array([-0.5, 1, 2]), array([0.2]))
    expect(value[0]).toBeCloseTo((0.2 * 2.5 - 0) / 3, 6)
    expect(worstError(gradients[0]!, [-1 / 3, -1 / 3, -1 / 3])).toBeLessThan(1e-6)
  })

  it.each([
    [0, [1, 2, 3, 4]],
    [0.5, [1, 2, 2, 3]],
    [1, [4, 1, 2, 3]],
  ])('a share of %s of the rows wants the goal of another row', async (share, expected) => {
    const { value } = await evaluate((goals) => withRandomGoals(goals, share), array([1, 2, 3, 4], [4, 1]))
    expect(value).toEqual(expected)
  })
})

describe('CRL update', () => {
  it.each([{}, { loss: 'infonce', similarity: 'distance', logSumExpPenalty: 0.1, criticNorm: 'layer' }] as const)(
    'is the same on every engine with %j',
    async (config) => {
      // Normalised layers of a single number know its sign alone: rows would score the same but for rounding.
      const spec = { observationSize: 5, actionSize: 2, goalSize: 2 }
      const results = []
      for (const name of ENGINES) {
        await startEngine({ name })
        const agent = makeCrl({ hidden: [16, 16], ...config }, spec)
        const metrics = await agent.update(randomBatch(32, new Rng(2), spec))
        results.push({ metrics, actor: valuesOf(agent.save(), 'actor'), critic: valuesOf(agent.save(), 'critic') })
        agent.dispose()
      }
      const [truth, ...others] = results as [(typeof results)[0], ...typeof results]
      for (const other of others) {
        for (const [metric, value] of Object.entries(truth.metrics)) {
          expect(Math.abs(other.metrics[metric]! - value), metric).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)))
        }
        expect(worstError(other.actor, truth.actor)).toBeLessThan(1e-5)
        expect(worstError(other.critic, truth.critic)).toBeLessThan(1e-5)
      }
    },
  )

  it('does not look at rewards, discounts and next observations', async () => {
    const learned = []
    for (const spoil of [0, 7]) {
      const agent = makeCrl({})
      const batch = randomBatch(8, new Rng(1))
      const other = batch.reward.map((x) => x + spoil)
      const next = batch.nextObservation.map((x) => x * (1 + spoil))
      await agent.update({ ...batch, reward: other, discount: other, nextObservation: next })
      learned.push(agent.save())
      agent.dispose()
    }
    expect(learned[1]).toEqual(learned[0])
  })

  it('acting between updates does not change what is learned, and the actor does not move the critic', async () => {
    const [quiet, busy, other] = [makeCrl({}), makeCrl({}), makeCrl({ randomGoals: 1 })]
    for (let step = 0; step < 3; step++) {
      for (const agent of [quiet, busy, other]) await agent.update(randomBatch(8, new Rng(step)))
      await busy.act(new Float32Array(3 * step + 3), step + 1, 'sample')
    }
    expect(valuesOf(busy.save(), 'actor')).toEqual(valuesOf(quiet.save(), 'actor'))
    expect(valuesOf(other.save(), 'actor')).not.toEqual(valuesOf(quiet.save(), 'actor'))
    expect(valuesOf(other.save(), 'critic')).toEqual(valuesOf(quiet.save(), 'critic'))
    for (const agent of [quiet, busy, other]) agent.dispose()
  })

  it('refuses a batch of one row, a second call before the first has ended, and observations without a goal', async () => {
    const agent = makeCrl({})
    await expect(agent.update(randomBatch(1, new Rng(1)))).rejects.toThrow('2 or more')
    const first = agent.update(randomBatch(8, new Rng(1)))
    expect(() => agent.save()).toThrow('await update() first')
    await first
    agent.dispose()
    for (const goalSize of [0, 3, 4]) {
      expect(() => makeCrl({}, { ...SPEC, goalSize })).toThrow('goals.form.name=goal')
    }
  })
})

/** States on a ring, walked by random steps of -1 or +1: an action below 0 goes back. */
const STATES = 5
const oneHot = (state: number): Float32Array => Float32Array.from({ length: STATES }, (_, i) => (i === state ? 1 : 0))

function walk(episodes: number, steps: number, rng: Rng): EpisodeStore {
  const capacity = episodes * (steps + 1)
  const store = new EpisodeStore({ capacity, featureSize: STATES, actionSize: 1, frameSize: 0 })
  for (let episode = 0; episode < episodes; episode++) {
    let state = rng.int(STATES)
    store.begin(oneHot(state))
    for (let step = 1; step <= steps; step++) {
      const action = Float32Array.of(rng.uniform(-1, 1))
      state = (state + (action[0]! < 0 ? STATES - 1 : 1)) % STATES
      store.append({ action, reward: 0, terminated: false, truncated: step === steps }, oneHot(state))
    }
  }
  return store
}

const reached: GoalSampling = {
  mix: { kept: 0, source: 0, future: 1, futureSteps: 'geometric' },
  source: { name: 'none', sample: () => ({ features: new Float32Array(STATES) }) },
  reward: latentDistanceReward(1),
  form: goalForm,
}

/** p(g | s, a): where a step from `state` and then a random walk is after a geometric number of steps, by summing powers. */
function discountedFuture(state: number, step: number, gamma: number): number[] {
  let now: number[] = [...oneHot((state + step + STATES) % STATES)]
  let sum = now.map(() => 0)
  for (let k = 0, weight = 1 - gamma; k < 500; k++, weight *= gamma) {
    sum = sum.map((x, i) => x + weight * now[i]!)
    now = now.map((_, i) => (now[(i + 1) % STATES]! + now[(i + STATES - 1) % STATES]!) / 2)
  }
  return sum
}

describe('CRL learns what can be worked out', () => {
  it.each(['nce', 'infonce'] as const)(
    '%s: the critic of a random walk on a ring is log p(g|s, a) - log p(g), and the actor goes the short way round',
    async (loss) => {
      const gamma = 0.7
      const rng = new Rng(3)
      const store = walk(30, 200, rng)
      const spec = { observationSize: 2 * STATES, actionSize: 1, goalSize: STATES }
      const config = { hidden: [32], embeddingSize: 8, learningRate: 5e-3, loss, learnAlpha: false, initialAlpha: 0.1 }
      const agent = new Crl(spec, crlConfigSchema.parse(config), new Rng(1))
      let [positive, updates] = [0, 600]
      for (let i = 0; i < updates; i++) {
        const batch = sampleTransitions(store, 128, { gamma, nStep: 1 }, rng, reached)
        const metrics = await agent.update(batch)
        if (i >= updates - 100) positive += metrics['train/positive_score']! / 100
      }
      // Goals are uniform over the ring, so that the mean of f over pairs that belong together is the mutual information.
      const future = discountedFuture(0, 1, gamma)
      const information = future.reduce((sum, p) => sum + p * Math.log(p * STATES), 0)
      if (loss === 'nce') expect(Math.abs(positive - information)).toBeLessThan(0.08)
      for (let state = 0; state < STATES; state++) {
        for (const way of [1, 2, 3, 4]) {
          const view = Float32Array.from([...oneHot(state), ...oneHot((state + way) % STATES)])
          const [action] = await agent.act(view, 1, 'mean')
          expect(Math.sign(action!), `from ${state} by ${way}`).toBe(way <= 2 ? 1 : -1)
        }
      }
      agent.dispose()
    },
  )
})
