import { describe, expect, it } from 'vitest'
import type { AgentEntry } from '../../agents/index.ts'
import type { Agent, TransitionBatch } from '../../src/core/agent.ts'
import type { NamedArrays } from '../../src/core/ndarray.ts'
import { Rng } from '../../src/core/rng.ts'
import { tf } from '../../src/tensor/tf.ts'

const SPEC = { observationSize: 3, actionSize: 2 }

/** A batch of `size` rows of numbers in [-1, 1]. */
export function randomBatch(size: number, rng: Rng, { observationSize, actionSize } = SPEC): TransitionBatch {
  const draw = (length: number): Float32Array => rng.fillUniform(new Float32Array(length), -1, 1)
  return {
    size,
    observation: draw(size * observationSize),
    action: draw(size * actionSize),
    reward: draw(size),
    nextObservation: draw(size * observationSize),
    discount: new Float32Array(size).fill(0.9),
  }
}

/** Numbers of `arrays` as plain arrays, so that a difference is printed by name. */
function plain(arrays: NamedArrays): Record<string, number[]> {
  return Object.fromEntries(Object.entries(arrays).map(([name, { data }]) => [name, [...data]]))
}

/** What every registered agent must do. `config` keeps it small; `goalSize` is of one that must be told of goals. */
export function agentCases(name: string, entry: AgentEntry, config: Record<string, unknown>, goalSize?: number): void {
  const spec = { ...SPEC, ...(goalSize && { goalSize }) }
  const make = (seed = 1): Agent => entry.create(spec, entry.configSchema.parse(config), new Rng(seed))
  const observations = new Rng(5).fillUniform(new Float32Array(4 * 3), -1, 1)

  describe(`agent contract: ${name}`, () => {
    it('knows its name and sizes', () => {
      const agent = make()
      expect(agent.spec).toEqual({ name, ...spec })
      agent.dispose()
    })

    it('acts inside the box, on one row and on many', async () => {
      const agent = make()
      for (const mode of ['sample', 'mean'] as const) {
        const many = await agent.act(observations, 4, mode)
        expect(many).toHaveLength(8)
        expect(many.every((a) => a >= -1 && a <= 1)).toBe(true)
        expect(await agent.act(observations.slice(0, 3), 1, mode)).toHaveLength(2)
      }
      agent.dispose()
    })

    it('the mean action is the same every time and row by row; samples differ', async () => {
      const agent = make()
      const first = await agent.act(observations, 4, 'mean')
      expect(await agent.act(observations, 4, 'mean')).toEqual(first)
      const third = await agent.act(observations.slice(6, 9), 1, 'mean')
      expect(third[0]).toBeCloseTo(first[4]!, 5)
      expect(third[1]).toBeCloseTo(first[5]!, 5)
      expect(await agent.act(observations, 4, 'sample')).not.toEqual(await agent.act(observations, 4, 'sample'))
      agent.dispose()
    })

    it('does not write to what it is given', async () => {
      const agent = make()
      const batch = randomBatch(8, new Rng(2))
      const copy = structuredClone(batch)
      const observationsCopy = observations.slice()
      await agent.update(batch)
      await agent.act(observations, 4, 'sample')
      expect(batch).toEqual(copy)
      expect(observations).toEqual(observationsCopy)
      agent.dispose()
    })

    it('metrics are finite scalars under train/', async () => {
      const agent = make()
      const metrics = await agent.update(randomBatch(8, new Rng(2)))
      // An agent that learns says how it goes; one that does not has nothing to say.
      expect(Object.keys(metrics).length > 0).toBe(Object.keys(agent.save()).some((array) => array.includes('Adam/')))
      const wrong = Object.entries(metrics).filter(
        ([metric, value]) => !metric.startsWith('train/') || !Number.isFinite(value),
      )
      expect(wrong).toEqual([])
      agent.dispose()
    })

    it('the same seed gives the same run, another seed another', async () => {
      const run = async (seed: number): Promise<unknown> => {
        const agent = make(seed)
        const metrics = []
        for (let i = 0; i < 3; i++) metrics.push(await agent.update(randomBatch(8, new Rng(i))))
        const actions = [...(await agent.act(observations, 4, 'sample'))]
        const state = plain(agent.save())
        agent.dispose()
        return { metrics, actions, state }
      }
      const first = await run(1)
      expect(await run(1)).toEqual(first)
      expect(await run(2)).not.toEqual(first)
    })

    it('goes on bit for bit from what it saved, in an agent of any seed', async () => {
      const straight = make(1)
      for (let i = 0; i < 3; i++) await straight.update(randomBatch(8, new Rng(i)))
      await straight.act(observations.slice(0, 3), 1, 'sample')
      const saved = structuredClone(straight.save())
      const resumed = make(2)
      resumed.restore(saved)
      const tails = []
      for (const agent of [straight, resumed]) {
        const metrics = []
        for (let i = 3; i < 6; i++) metrics.push(await agent.update(randomBatch(8, new Rng(i))))
        tails.push({ metrics, actions: [...(await agent.act(observations, 4, 'sample'))], state: plain(agent.save()) })
      }
      expect(tails[1]).toEqual(tails[0])
      straight.dispose()
      resumed.dispose()
    })

    it('what it saved does not change afterwards', async () => {
      const agent = make()
      const saved = agent.save()
      const copy = structuredClone(saved)
      await agent.update(randomBatch(8, new Rng(2)))
      await agent.act(observations, 4, 'sample')
      expect(saved).toEqual(copy)
      agent.dispose()
    })

    it.each<[string, (batch: TransitionBatch) => TransitionBatch, string]>([
      ['a short reward', (b) => ({ ...b, reward: new Float32Array(7) }), 'bad-shape'],
      ['observations of another size', (b) => ({ ...b, observation: new Float32Array(8 * 4) }), 'bad-shape'],
      ['no rows', () => randomBatch(0, new Rng(1)), 'bad-shape'],
      ['NaN in the reward', (b) => ({ ...b, reward: b.reward.with(3, Number.NaN) }), 'bad-value'],
      ['an infinite observation', (b) => ({ ...b, nextObservation: b.nextObservation.with(0, Infinity) }), 'bad-value'],
    ])('refuses a batch with %s and stays as it was', async (_, spoil, code) => {
      const agent = make()
      await agent.update(randomBatch(8, new Rng(1)))
      const before = plain(agent.save())
      await expect(agent.update(spoil(randomBatch(8, new Rng(2))))).rejects.toMatchObject({ code })
      expect(plain(agent.save())).toEqual(before)
      await agent.update(randomBatch(8, new Rng(2)))
      agent.dispose()
    })

    it('refuses to act on NaN, on no rows and on rows of another size', async () => {
      const agent = make()
      await expect(agent.act(Float32Array.of(0, Number.NaN, 0), 1, 'mean')).rejects.toMatchObject({ code: 'bad-value' })
      await expect(agent.act(new Float32Array(0), 0, 'mean')).rejects.toMatchObject({ code: 'bad-shape' })
      await expect(agent.act(new Float32Array(4), 1, 'sample')).rejects.toMatchObject({ code: 'bad-shape' })
      agent.dispose()
    })

    it('refuses a state that is not its own and stays as it was', () => {
      const agent = make()
      const before = plain(agent.save())
      const saved = make(2).save()
      const last = Object.keys(saved).at(-1)!
      const { [last]: _, ...missing } = saved
      const wrongShape = { ...saved, [last]: { data: new Float32Array(2), shape: [2] } }
      for (const arrays of [missing, wrongShape, { ...saved, 'other/x': saved[last]! }, {}]) {
        expect(() => agent.restore(arrays)).toThrow(name)
      }
      expect(plain(agent.save())).toEqual(before)
      agent.dispose()
    })

    it('keeps no tensor between updates and none after dispose', async () => {
      const empty = tf.memory().numTensors
      const agent = make()
      await agent.update(randomBatch(8, new Rng(1)))
      await agent.act(observations, 4, 'sample')
      await agent.act(observations, 4, 'mean')
      const settled = tf.memory().numTensors
      for (let i = 0; i < 3; i++) {
        await agent.update(randomBatch(8, new Rng(i)))
        await agent.act(observations, 4, 'sample')
        agent.restore(agent.save())
      }
      expect(tf.memory().numTensors).toBe(settled)
      agent.dispose()
      expect(tf.memory().numTensors).toBe(empty)
    })

    it('takes no settings that it does not know', () => {
      expect(entry.configSchema.safeParse({ ...config, unheardOf: 1 }).success).toBe(false)
    })
  })
}
