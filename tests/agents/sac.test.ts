import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import type { SacConfig } from '../../agents/sac/config.ts'
import { sacConfigSchema } from '../../agents/sac/config.ts'
import { alphaLoss } from '../../agents/entropy-weight.ts'
import { actorLoss, criticLoss, Sac, softTarget } from '../../agents/sac/sac.ts'
import type { Metrics, NamedArrays } from '../../src/core/ndarray.ts'
import { parseConfig } from '../../src/config/overrides.ts'
import { Rng } from '../../src/core/rng.ts'
import { compile, exportOnnx } from '../../src/tensor/compile/program.ts'
import { EpisodeStore } from '../../src/replay/episode-store.ts'
import { sampleTransitions } from '../../src/replay/sampler.ts'
import { startEngine } from '../../src/tensor/engine.ts'
import { randomBatch } from '../contracts/agent-cases.ts'
import { array, ENGINES, evaluate, worstError } from '../tensor/numerics.ts'

const SPEC = { observationSize: 3, actionSize: 2 }

function makeSac(
  config: Partial<SacConfig>,
  seed = 1,
  spec: { observationSize: number; actionSize: number } = SPEC,
): Sac {
  return new Sac(spec, sacConfigSchema.parse({ hidden: [8], ...config }), new Rng(seed))
}

/** All arrays whose names start with `part`, end to end. */
function valuesOf(arrays: NamedArrays, part: string): number[] {
  return Object.entries(arrays).flatMap(([name, { data }]) => (name.startsWith(`${part}/`) ? [...data] : []))
}

/** Q of both critics, worked out in float64 from the saved weights of a net with one hidden layer. */
function criticValues(arrays: NamedArrays, input: readonly number[]): [number, number] {
  const weight = (name: string): ArrayLike<number> => arrays[`critics/q/${name}`]!.data
  const units = arrays['critics/q/hidden0/kernel']!.shape[2]!
  const member = (m: number): number => {
    let q = weight('output/bias')[m]!
    for (let unit = 0; unit < units; unit++) {
      let h = weight('hidden0/bias')[m * units + unit]!
      input.forEach((x, i) => (h += x * weight('hidden0/kernel')[(m * input.length + i) * units + unit]!))
      q += Math.max(0, h) * weight('output/kernel')[m * units + unit]!
    }
    return q
  }
  return [member(0), member(1)]
}

beforeAll(async () => {
  await startEngine()
})

describe('SAC losses', () => {
  const q = array([1, 5, -2, 3, 4, -2.5], [2, 3])
  const logProb = array([-0.5, 1, 2])

  it('the soft target takes the smaller critic, charges alpha log pi and stops at a termination', async () => {
    const { value } = await evaluate(softTarget, array([1, 2, 3]), array([0.9, 0.5, 0]), q, logProb, array([0.2]))
    expect(worstError(value, [1 + 0.9 * (1 + 0.1), 2 + 0.5 * (4 - 0.2), 3])).toBeLessThan(1e-6)
  })

  it('the critic loss is half the squared error of each critic, summed over both', async () => {
    const { value, gradients } = await evaluate(criticLoss, q, array([1, 4, -1]))
    expect(value[0]).toBeCloseTo((0 + 1 + 1 + 4 + 0 + 2.25) / 6, 6)
    expect(worstError(gradients[0]!, [0, 1 / 3, -1 / 3, 2 / 3, 0, -0.5])).toBeLessThan(1e-6)
  })

  it('the actor loss rewards the smaller critic and entropy', async () => {
    const { value, gradients } = await evaluate(actorLoss, q, logProb, array([0.2]))
    expect(value[0]).toBeCloseTo((-0.1 - 1 + 0.2 - 4 + 0.4 + 2.5) / 3, 6)
    expect(worstError(gradients[0]!, [-1 / 3, 0, 0, 0, -1 / 3, -1 / 3])).toBeLessThan(1e-6)
  })

  it('alpha falls where entropy is above the target and rises below it', async () => {
    const gradientAt = async (targetEntropy: number): Promise<number> =>
      (await evaluate((logAlpha, logPi) => alphaLoss(logAlpha, logPi, targetEntropy), array([0.3]), logProb))
        .gradients[0]![0]!
    // Entropy is -mean log pi = -5/6.
    expect(await gradientAt(-1)).toBeCloseTo(1 / 6, 6)
    expect(await gradientAt(-0.5)).toBeCloseTo(-1 / 3, 6)
  })
})

describe('SAC update', () => {
  it('the targets follow the critics by the closed form of the moving average', async () => {
    const tau = 0.1
    const agent = makeSac({ tau, learningRate: 0.05 })
    const start = agent.save()
    expect(valuesOf(start, 'targetCritics')).toEqual(valuesOf(start, 'critics'))
    const critics: number[][] = []
    for (let step = 0; step < 6; step++) {
      await agent.update(randomBatch(8, new Rng(step)))
      critics.push(valuesOf(agent.save(), 'critics'))
    }
    const expected = valuesOf(start, 'targetCritics').map(
      (first, i) =>
        (1 - tau) ** 6 * first + critics.reduce((sum, values, k) => sum + tau * (1 - tau) ** (5 - k) * values[i]!, 0),
    )
    expect(worstError(valuesOf(agent.save(), 'targetCritics'), expected)).toBeLessThan(1e-6)
    expect(worstError(expected, critics[5]!)).toBeGreaterThan(0.05)
    agent.dispose()
  })

  it('runs of before, with criticLayerNorm, are read', () => {
    expect(sacConfigSchema.parse({ criticLayerNorm: true }).criticNorm).toBe('layer')
    expect(sacConfigSchema.parse({ criticLayerNorm: false }).criticNorm).toBe('none')
    expect(() => sacConfigSchema.parse({ criticLayerNorm: true, criticNorm: 'batch' })).toThrow('criticLayerNorm')
    expect(() => parseConfig(sacConfigSchema, { criticNrm: 'layer' }, 'config', 'agent.config')).toThrow(
      'did you mean agent.config.criticNorm?',
    )
  })

  it('policyDelay leaves actor and alpha alone in between, and the actor never moves the critics', async () => {
    const each = makeSac({})
    const delayed = makeSac({ policyDelay: 2 })
    const start = delayed.save()
    const metrics: Metrics[] = []
    for (const agent of [each, delayed]) metrics.push(await agent.update(randomBatch(8, new Rng(1))))
    expect(valuesOf(delayed.save(), 'critics')).toEqual(valuesOf(each.save(), 'critics'))
    expect(valuesOf(each.save(), 'actor')).not.toEqual(valuesOf(start, 'actor'))
    expect(valuesOf(delayed.save(), 'actor')).toEqual(valuesOf(start, 'actor'))
    expect(valuesOf(delayed.save(), 'alpha')).toEqual(valuesOf(start, 'alpha'))
    expect(Object.keys(metrics[0]!)).toContain('train/actor_loss')
    expect(Object.keys(metrics[1]!)).not.toContain('train/actor_loss')
    const second = await delayed.update(randomBatch(8, new Rng(2)))
    expect(Object.keys(second)).toContain('train/actor_loss')
    expect(valuesOf(delayed.save(), 'actor')).not.toEqual(valuesOf(start, 'actor'))
    each.dispose()
    delayed.dispose()
  })

  it('a fixed alpha stays where it was put', async () => {
    const agent = makeSac({ learnAlpha: false, initialAlpha: 0.3 })
    for (let step = 0; step < 3; step++) {
      const metrics = await agent.update(randomBatch(8, new Rng(step)))
      expect(metrics['train/ent_coef']).toBeCloseTo(0.3, 6)
      expect(Object.keys(metrics)).not.toContain('train/ent_coef_loss')
    }
    agent.dispose()
  })

  it('clipNorm bounds the gradients of critics and actor', async () => {
    // Adam undoes any factor on the gradient unless it brings it below epsilon.
    const moved = async (clipNorm: number | null, part: string): Promise<number> => {
      const agent = makeSac({ clipNorm, learningRate: 0.01 })
      const before = valuesOf(agent.save(), part)
      await agent.update(randomBatch(8, new Rng(1)))
      const after = valuesOf(agent.save(), part)
      agent.dispose()
      return Math.max(...after.map((x, i) => Math.abs(x - before[i]!)))
    }
    for (const part of ['critics', 'actor']) {
      expect(await moved(null, part)).toBeGreaterThan(0.009)
      expect(await moved(1e-9, part)).toBeLessThan(0.002)
    }
  })

  it('reports what it would be missed without', async () => {
    const agent = makeSac({})
    expect(Object.keys(await agent.update(randomBatch(8, new Rng(1)))).sort()).toEqual(
      [
        'action_saturation',
        'actor_loss',
        'critic_loss',
        'ent_coef',
        'ent_coef_loss',
        'entropy',
        'q_mean',
        'target_q_mean',
      ].map((name) => `train/${name}`),
    )
    agent.dispose()
  })

  it('refuses a second call before the first has ended', async () => {
    const agent = makeSac({})
    const first = agent.update(randomBatch(8, new Rng(1)))
    expect(() => agent.save()).toThrow('await update() first')
    await expect(agent.update(randomBatch(8, new Rng(1)))).rejects.toThrow('await update() first')
    await first
    await agent.update(randomBatch(8, new Rng(1)))
    agent.dispose()
  })

  it('acting between updates does not change what is learned', async () => {
    const [quiet, busy] = [makeSac({}), makeSac({})]
    for (let step = 0; step < 3; step++) {
      for (const agent of [quiet, busy]) await agent.update(randomBatch(8, new Rng(step)))
      await busy.act(new Float32Array(3 * step + 3), step + 1, 'sample')
    }
    expect(valuesOf(busy.save(), 'actor')).toEqual(valuesOf(quiet.save(), 'actor'))
    quiet.dispose()
    busy.dispose()
  })

  it('policyFunction is the mean action, also as an exported model', async () => {
    const agent = makeSac({})
    const observation = array([0.1, -0.5, 2, 1, 1, 1], [2, 3])
    const program = compile<'observation', 'action'>('exported', (inputs) => ({
      action: agent.policyFunction(inputs),
    }))
    const { action } = await program.run({ observation })
    const acted = [...(await agent.act(observation.data, 2, 'mean'))]
    expect([...action.data]).toEqual(acted)
    program.dispose()

    const inputs = { observation: { dtype: 'float32', shape: [2, 3] } } as const
    const model = exportOnnx('policy', (tensors) => ({ action: agent.policyFunction(tensors) }), inputs)
    const session = await InferenceSession.create(model)
    const results = await session.run({ observation: new Tensor('float32', observation.data, [2, 3]) })
    expect(worstError([...(results['action']!.data as Float32Array)], acted)).toBeLessThan(1e-6)
    await session.release()
    agent.dispose()
  })
})

/** Q of both critics with batch normalisation for rows [s, a], in float64; `moments` of column `c` of what stands before a dense layer. */
function normalisedCritics(
  arrays: NamedArrays,
  rows: readonly (readonly number[])[],
  moments: (layer: 'input' | 'norm0', member: number, column: number, values: number[]) => [number, number],
): number[][] {
  const weight = (name: string): ArrayLike<number> => arrays[`critics/q/${name}`]!.data
  const units = arrays['critics/q/hidden0/kernel']!.shape[2]!
  const normalised = (layer: 'input' | 'norm0', member: number, x: readonly (readonly number[])[]): number[][] => {
    const learned = (name: string, c: number): number => weight(`${layer}/${name}`)[member * x[0]!.length + c]!
    const columns = x[0]!.map((_, c) => {
      const values = x.map((row) => row[c]!)
      const [mean, variance] = moments(layer, member, c, values)
      const inverseStd = 1 / Math.sqrt(variance + 1e-3)
      return values.map((value) => (value - mean) * inverseStd * learned('scale', c) + learned('offset', c))
    })
    return x.map((_, r) => columns.map((column) => column[r]!))
  }
  return [0, 1].map((member) => {
    const hidden = normalised('input', member, rows).map((row) =>
      Array.from({ length: units }, (_, unit) => {
        const at = (i: number): number => weight('hidden0/kernel')[(member * row.length + i) * units + unit]!
        return Math.max(
          0,
          row.reduce((sum, x, i) => sum + x * at(i), weight('hidden0/bias')[member * units + unit]!),
        )
      }),
    )
    return normalised('norm0', member, hidden).map((row) =>
      row.reduce((sum, h, i) => sum + h * weight('output/kernel')[member * units + i]!, weight('output/bias')[member]!),
    )
  })
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

function momentsOf(values: readonly number[]): [number, number] {
  const mean = meanOf(values)
  return [mean, meanOf(values.map((x) => (x - mean) ** 2))]
}

describe('SAC with batch-normalised critics (CrossQ)', () => {
  it('both halves go through the critics in one pass; the actor learns from the running statistics', async () => {
    const agent = makeSac({ criticNorm: 'batch', learnAlpha: false, initialAlpha: 1e-30, statisticsTau: 0.3 })
    const saved = agent.save()
    expect(Object.keys(saved).filter((name) => name.startsWith('target'))).toEqual([])
    // A policy whose actions are all 1, whatever it sees.
    const bias = saved['actor/policy/output/bias']!
    agent.restore({ ...saved, 'actor/policy/output/bias': { ...bias, data: Float32Array.of(20, 20, 0, 0) } })
    const size = 16
    const batch = randomBatch(size, new Rng(1))
    const rowsOf = (observation: Float32Array, action: Float32Array): number[][] =>
      Array.from({ length: size }, (_, row) => [
        ...observation.slice(3 * row, 3 * row + 3),
        ...action.slice(2 * row, 2 * row + 2),
      ])
    const ones = new Float32Array(2 * size).fill(1)
    const rows = [...rowsOf(batch.observation, batch.action), ...rowsOf(batch.nextObservation, ones)]
    const critics = normalisedCritics(saved, rows, (_layer, _member, _column, values) => momentsOf(values))
    const q = critics.map((values) => values.slice(0, size))
    const target = Array.from(
      { length: size },
      (_, row) =>
        batch.reward[row]! + batch.discount[row]! * Math.min(critics[0]![size + row]!, critics[1]![size + row]!),
    )
    const errors = q.map((values) => meanOf(values.map((value, row) => (value - target[row]!) ** 2)))

    const metrics = await agent.update(batch)
    expect(metrics['train/q_mean']).toBeCloseTo(meanOf(q.flat()), 4)
    expect(metrics['train/target_q_mean']).toBeCloseTo(meanOf(target), 4)
    expect(metrics['train/critic_loss']).toBeCloseTo((errors[0]! + errors[1]!) / 2, 3)

    const after = agent.save()
    const statistic = (layer: string, name: string, at: number): number =>
      after[`criticStatistics/q/${layer}/${name}`]!.data[at]!
    const acted = normalisedCritics(after, rowsOf(batch.observation, ones), (layer, member, column) => {
      const at = member * (layer === 'input' ? 5 : 8) + column
      return [statistic(layer, 'mean', at), statistic(layer, 'variance', at)]
    })
    const values = Array.from({ length: size }, (_, row) => Math.min(acted[0]![row]!, acted[1]![row]!))
    expect(metrics['train/actor_loss']).toBeCloseTo(-meanOf(values), 4)
    agent.dispose()
  })

  it('the running statistics are moving averages of those of both halves', async () => {
    const [share, updates] = [0.3, 4]
    const agent = makeSac({ criticNorm: 'batch', statisticsTau: share })
    const expected = Array.from({ length: 3 }, () => [0, 1] as [number, number])
    for (let step = 0; step < updates; step++) {
      const batch = randomBatch(8, new Rng(step))
      await agent.update(batch)
      for (const [column, running] of expected.entries()) {
        const values = [...batch.observation, ...batch.nextObservation].filter((_, i) => i % 3 === column)
        momentsOf(values).forEach((moment, i) => (running[i]! += share * (moment - running[i]!)))
      }
    }
    const saved = agent.save()
    for (const [column, [mean, variance]] of expected.entries()) {
      expect(saved['criticStatistics/q/input/mean']!.data[column]).toBeCloseTo(mean, 5)
      expect(saved['criticStatistics/q/input/variance']!.data[column]).toBeCloseTo(variance, 5)
    }
    expect(saved['criticStatistics/q/norm0/mean']!.shape).toEqual([2, 1, 8])
    agent.dispose()
  })
})

describe('SAC on every engine', () => {
  it.each([{}, { criticNorm: 'layer', clipNorm: 0.1 }, { criticNorm: 'batch' }] as const)(
    'one update is the same with %j',
    async (config) => {
      const results = []
      for (const name of ENGINES) {
        await startEngine({ name })
        const agent = makeSac({ hidden: [16, 16], ...config })
        const metrics = await agent.update(randomBatch(32, new Rng(1)))
        results.push({ metrics, actor: valuesOf(agent.save(), 'actor'), critics: valuesOf(agent.save(), 'critics') })
        agent.dispose()
      }
      const [truth, ...others] = results as [(typeof results)[0], ...typeof results]
      for (const other of others) {
        for (const [metric, value] of Object.entries(truth.metrics)) {
          expect(Math.abs(other.metrics[metric]! - value), metric).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)))
        }
        expect(worstError(other.actor, truth.actor)).toBeLessThan(1e-5)
        expect(worstError(other.critics, truth.critics)).toBeLessThan(1e-5)
      }
    },
  )
})

describe('SAC learns what can be worked out', () => {
  it('bandit: the mean finds the best action, alpha holds the entropy at its target', async () => {
    const agent = makeSac({ hidden: [32], learningRate: 5e-3 }, 1, { observationSize: 1, actionSize: 1 })
    const rng = new Rng(3)
    const size = 64
    let entropy = 0
    for (let step = 0; step < 1500; step++) {
      const action = rng.fillUniform(new Float32Array(size), -1, 1)
      const ones = new Float32Array(size).fill(1)
      const metrics = await agent.update({
        size,
        observation: ones,
        action,
        reward: action.map((a) => -2 * (a - 0.4) ** 2),
        nextObservation: ones,
        discount: new Float32Array(size),
      })
      if (step >= 1300) entropy += metrics['train/entropy']! / 200
    }
    const [mean] = await agent.act(Float32Array.of(1), 1, 'mean')
    expect(mean).toBeCloseTo(0.4, 1)
    expect(Math.abs(entropy + 1)).toBeLessThan(0.1)
    agent.dispose()
  })

  it('ring of 5 states: Q is the soft Q of value iteration', async () => {
    const [gamma, alpha, states] = [0.8, 0.1, 5]
    const best = (state: number): number => -0.4 + 0.2 * state
    const reward = (state: number, action: number): number => state / 4 - (action - best(state)) ** 2
    // V(s) = alpha log integral exp(Q(s, a) / alpha) da, midpoint rule; the next state is s + 1 whatever is done.
    let values = Array.from({ length: states }, () => 0)
    const softQ = (state: number, action: number): number =>
      reward(state, action) + gamma * values[(state + 1) % states]!
    for (let sweep = 0; sweep < 200; sweep++) {
      values = values.map((_, state) => {
        let integral = 0
        for (let i = 0; i < 400; i++) integral += Math.exp(softQ(state, -1 + (i + 0.5) / 200) / alpha) / 200
        return alpha * Math.log(integral)
      })
    }

    const agent = makeSac({ hidden: [32], learningRate: 5e-3, tau: 0.05, learnAlpha: false, initialAlpha: alpha }, 1, {
      observationSize: states,
      actionSize: 1,
    })
    const oneHot = (state: number): number[] => Array.from({ length: states }, (_, i) => (i === state ? 1 : 0))
    const rng = new Rng(3)
    const size = 50
    const rows = Array.from({ length: size }, (_, row) => row % states)
    const fixed = {
      size,
      observation: Float32Array.from(rows.flatMap(oneHot)),
      nextObservation: Float32Array.from(rows.flatMap((state) => oneHot((state + 1) % states))),
      discount: new Float32Array(size).fill(gamma),
    }
    for (let step = 0; step < 1500; step++) {
      const action = rng.fillUniform(new Float32Array(size), -1, 1)
      await agent.update({ ...fixed, action, reward: action.map((a, row) => reward(row % states, a)) })
    }
    const saved = agent.save()
    for (let state = 0; state < states; state++) {
      for (const action of [best(state) - 0.3, best(state), best(state) + 0.3]) {
        const exact = softQ(state, action)
        for (const q of criticValues(saved, [...oneHot(state), action])) {
          expect(Math.abs(q / exact - 1), `Q(${state}, ${action}) = ${q}, exact ${exact}`).toBeLessThan(0.02)
        }
      }
    }
    agent.dispose()
  })

  it.each([
    { gamma: 0.99, steps: 200, terminated: false, worth: 100 },
    { gamma: 0.9, steps: 20, terminated: false, worth: 10 },
    { gamma: 0.9, steps: 20, terminated: true, worth: 1 / (1 - 0.9 * 0.95) },
  ])('1 per step, over after $steps steps (termination: $terminated), is worth $worth', async (episode) => {
    const { gamma, steps, terminated, worth } = episode
    const store = new EpisodeStore({ capacity: 2100, featureSize: 1, actionSize: 1, frameSize: 0 })
    const rng = new Rng(1)
    const observation = Float32Array.of(1)
    while (store.end + steps < 2100) {
      store.begin(observation)
      for (let step = 1; step <= steps; step++) {
        const end = step === steps
        const action = Float32Array.of(rng.uniform(-1, 1))
        store.append({ action, reward: 1, terminated: end && terminated, truncated: end && !terminated }, observation)
      }
    }
    const agent = makeSac(
      { learningRate: 0.02, tau: 1, learnAlpha: false, initialAlpha: 1e-3, entropyInBackup: false },
      1,
      { observationSize: 1, actionSize: 1 },
    )
    let q = 0
    for (let step = 0; step < 600; step++) {
      const metrics = await agent.update(sampleTransitions(store, 64, { gamma, nStep: 1 }, rng))
      if (step >= 500) q += metrics['train/q_mean']! / 100
    }
    expect(Math.abs(q / worth - 1)).toBeLessThan(0.08)
    agent.dispose()
  })
})
