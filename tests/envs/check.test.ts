import { describe, expect, it } from 'vitest'
import { checkEnv } from '../../envs/check.ts'
import { makeEnv } from '../../envs/index.ts'
import type { Env, SimulatedGoalEnv, Observation, StepResult } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import { whyOutside } from '../../src/core/spaces.ts'

type Overrides = (base: SimulatedGoalEnv) => Partial<SimulatedGoalEnv>

/** The push task with some of its members replaced. */
async function broken(overrides: Overrides): Promise<Env> {
  const base = (await makeEnv('armature/PushPuck-v0', { size: 16, supersample: 'off' })) as SimulatedGoalEnv
  const replaced = overrides(base)
  return new Proxy(base, {
    get(target, key) {
      if (Object.hasOwn(replaced, key)) return Reflect.get(replaced, key)
      const member: unknown = Reflect.get(target, key, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

function withObservation(
  base: SimulatedGoalEnv,
  change: (observation: Observation) => Observation,
): Partial<SimulatedGoalEnv> {
  return {
    reset: async (options) => {
      const result = await base.reset(options)
      return { ...result, observation: change(result.observation) }
    },
    step: async (action) => {
      const result = await base.step(action)
      return { ...result, observation: change(result.observation) }
    },
  }
}

function withStep(change: (result: StepResult, steps: number) => StepResult): Overrides {
  let steps = 0
  return (base) => ({
    step: async (action) => change(await base.step(action), ++steps),
  })
}

/** Each defect by the case that must find it. */
const defects: readonly (readonly [caseName: string, defect: string, overrides: Overrides])[] = [
  ['spec is complete', 'an id without version', (base) => ({ spec: { ...base.spec, id: 'PushPuck' } })],
  [
    'spec is complete',
    'a state without names',
    (base) => ({ spec: { ...base.spec, stateSpace: { dtype: 'float32', shape: [4], low: -1, high: 1 } } }),
  ],
  [
    'actions lie in [-1, 1]',
    'actions in metres',
    (base) => ({ spec: { ...base.spec, actionSpace: { ...base.spec.actionSpace, low: -0.02, high: 0.02 } } }),
  ],
  ['reset repeats with its seed', 'a seed that is ignored', (base) => ({ reset: () => base.reset() })],
  [
    'reset without seed continues the stream',
    'a reset that restarts the stream',
    (base) => ({ reset: (options) => base.reset({ seed: 0, ...options }) }),
  ],
  [
    'seeds change the start or the goal',
    'one start for all seeds',
    (base) => ({ reset: (options) => base.reset({ ...options, seed: 0 }) }),
  ],
  [
    'steps repeat with the seed',
    'a reward that drifts',
    withStep((result, steps) => ({ ...result, reward: result.reward + steps * 1e-9 })),
  ],
  [
    'observations are in their spaces',
    'a state in centimetres',
    (base) => withObservation(base, (seen) => ({ ...seen, state: seen.state.map((x) => x * 100) })),
  ],
  [
    'observations are in their spaces',
    'a camera that the spec does not name',
    (base) => withObservation(base, (seen) => ({ ...seen, images: { ...seen.images, side: seen.images['front']! } })),
  ],
  [
    'arrays share no memory',
    'proprio as a view of the state',
    (base) => withObservation(base, (seen) => ({ ...seen, proprio: seen.state.subarray(0, 2) })),
  ],
  [
    'observations change under random play',
    'a dead camera',
    (base) => withObservation(base, (seen) => ({ ...seen, images: { front: new Uint8Array(16 * 16 * 3) } })),
  ],
  ['rewards and info are finite', 'a reward of NaN', withStep((result) => ({ ...result, reward: Number.NaN }))],
  [
    'rewards and info are finite',
    'an infinite info',
    withStep((result) => ({ ...result, info: { ...result.info, speed: Infinity } })),
  ],
  ['episodes end as they should', 'no time limit', withStep((result) => ({ ...result, truncated: false }))],
  [
    'episodes end as they should',
    'an early time limit',
    withStep((result, n) => ({ ...result, truncated: n % 7 === 0 })),
  ],
  [
    'episodes end as they should',
    'both flags at once',
    withStep((result) => ({ ...result, terminated: result.truncated })),
  ],
  [
    'step before the first reset is refused',
    'a step that resets by itself',
    (base) => {
      let isReset = false
      return {
        step: async (action) => {
          if (!isReset) await base.reset()
          isReset = true
          return base.step(action)
        },
      }
    },
  ],
  [
    'step after the end is refused',
    'a step that starts the next episode',
    (base) => ({
      step: async (action) => {
        const result = await base.step(action)
        if (result.truncated) await base.reset()
        return result
      },
    }),
  ],
  [
    'an action of the wrong length is refused',
    'actions cut to length',
    (base) => ({ step: (action) => base.step(action.slice(0, 2)) }),
  ],
  [
    'an action that is NaN or beyond 1 is refused',
    'actions clipped in silence',
    (base) => ({ step: (action) => base.step(action.map((x) => Math.max(-1, Math.min(1, x || 0)))) }),
  ],
  [
    'a refused action changes nothing',
    'a step before the check',
    (base) => ({
      step: async (action) => {
        if (whyOutside(base.spec.actionSpace, action) === undefined) return base.step(action)
        await base.step(new Float32Array(2).fill(1))
        throw new ArmatureError('bad-value', 'action')
      },
    }),
  ],
  [
    'the corners of the action space are accepted',
    'an open action interval',
    (base) => ({
      step: async (action) => {
        if (action.some((x) => Math.abs(x) >= 1)) throw new ArmatureError('bad-value', 'action')
        return base.step(action)
      },
    }),
  ],
  [
    'an unknown reset option is refused',
    'options that are ignored',
    (base) => ({ reset: ({ seed } = {}) => base.reset(seed === undefined ? {} : { seed }) }),
  ],
  [
    'render leaves the observation alone',
    'a render of the wrong size',
    (base) => ({ render: (camera) => base.render(camera) }),
  ],
  [
    'render leaves the observation alone',
    'a render into the observation',
    (base) => {
      let last: Observation | undefined
      return {
        reset: async (options) => {
          const result = await base.reset(options)
          last = result.observation
          return result
        },
        render: (camera, size) => {
          last?.images['front']!.fill(0)
          return base.render(camera, size)
        },
      }
    },
  ],
  [
    'a saved state continues bit for bit',
    'a saved state without the step count',
    (base) => ({
      saveState: async () => {
        const state = await base.saveState()
        return { ...state, json: state.json.replace(/"steps":\d+/, '"steps":0') }
      },
    }),
  ],
  [
    'a saved state continues bit for bit',
    'a saved state without the random stream',
    (base) => ({
      restoreState: async (state) => {
        const saved = JSON.parse(state.json) as { episode: { rng: unknown } }
        const here = JSON.parse((await base.saveState()).json) as { episode: { rng: unknown } }
        const episode = { ...saved.episode, rng: here.episode.rng }
        return base.restoreState({ ...state, json: JSON.stringify({ ...saved, episode }) })
      },
    }),
  ],
  [
    'goals are in their space',
    'goals outside their box',
    (base) => ({ sampleGoal: (rng) => base.sampleGoal(rng).map((x) => x + 1) }),
  ],
  [
    'goal distances fit the reward',
    'distances in centimetres',
    (base) => ({ goalDistances: (a, b) => ({ distance: 100 * base.goalDistances(a, b)['distance']! }) }),
  ],
  [
    'goal distances fit the reward',
    'a goal kept by reference',
    (base) => {
      let goal = base.goal
      return {
        get goal() {
          return goal
        },
        setGoal: (next) => {
          base.setGoal(next)
          goal = next
        },
      }
    },
  ],
  [
    'a goal image restores the state',
    'a goal image that costs a step',
    (base) => ({
      renderGoal: async (goal) => {
        const images = await base.renderGoal(goal)
        await base.step(new Float32Array(2))
        return images
      },
    }),
  ],
  [
    'a goal image looks like the goal',
    'a goal image of the present state',
    (base) => ({ renderGoal: async () => ({ front: await base.render() }) }),
  ],
  [
    'a goal image looks like the goal',
    'a blank goal image',
    () => ({ renderGoal: async () => ({ front: new Uint8Array(16 * 16 * 3) }) }),
  ],
  [
    'close may be called twice and ends it',
    'a second close that throws',
    (base) => {
      let isClosed = false
      return {
        close: async () => {
          if (isClosed) throw new Error('closed twice')
          isClosed = true
          await base.close()
        },
      }
    },
  ],
  ['close may be called twice and ends it', 'a close that does nothing', () => ({ close: async () => {} })],
]

describe('checkEnv', () => {
  it.each(defects)('%s: finds %s', async (caseName, _defect, overrides) => {
    const results = await checkEnv(() => broken(overrides), { steps: 55 })
    const found = results.find((result) => result.name === caseName)
    expect(found?.ok).toBe(false)
    expect(found?.detail).not.toBe('')
  })

  it('passes the env that the defects are made from', async () => {
    const results = await checkEnv(() => broken(() => ({})), { steps: 55 })
    expect(results.filter((result) => !result.ok)).toEqual([])
  })

  it('takes an env instead of a factory and closes it', async () => {
    const env = await makeEnv('armature/Pendulum-v1')
    expect((await checkEnv(env)).every((result) => result.ok)).toBe(true)
    await expect(env.reset()).rejects.toMatchObject({ code: 'closed' })
  })
})
