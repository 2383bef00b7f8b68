import type { Env, Info, Observation } from '../src/core/env.ts'
import { isGoalEnv } from '../src/core/env.ts'
import type { NdData } from '../src/core/ndarray.ts'
import { sizeOf } from '../src/core/ndarray.ts'
import type { Rng } from '../src/core/rng.ts'
import { sampleSpace } from '../src/core/spaces.ts'

/** Copies of all that an env showed at one moment. */
export interface Moment {
  readonly arrays: Readonly<Record<string, NdData>>
  readonly info: Info
  readonly reward?: number
  readonly terminated?: boolean
  readonly truncated?: boolean
}

/** The arrays of an observation by name: `images.front`, `proprio`, `state`. Not copied. */
export function arraysOf(observation: Observation): Record<string, NdData> {
  const arrays: Record<string, NdData> = {}
  for (const [camera, image] of Object.entries(observation.images)) arrays[`images.${camera}`] = image
  return { ...arrays, proprio: observation.proprio, state: observation.state }
}

/** A copy of an observation, with the goal where there is one. */
export function momentOf(env: Env, observation: Observation, info: Info): Moment {
  const live = isGoalEnv(env) ? { ...arraysOf(observation), goal: env.goal } : arraysOf(observation)
  const arrays = Object.fromEntries(Object.entries(live).map(([name, array]) => [name, array.slice()]))
  return { arrays, info: { ...info } }
}

/** Resets `env` and copies what it shows. */
export async function resetMoment(env: Env, seed?: number): Promise<Moment> {
  const { observation, info } = await env.reset(seed === undefined ? {} : { seed })
  return momentOf(env, observation, info)
}

/** Uniform actions for `steps` steps. */
export function randomActions(env: Env, rng: Rng, steps: number): Float32Array[] {
  const { actionSpace } = env.spec
  return Array.from({ length: steps }, () => sampleSpace(actionSpace, rng, new Float32Array(sizeOf(actionSpace.shape))))
}

/** Plays `actions` and returns a moment for each step. Resets, without a seed, where an episode ends. */
export async function play(env: Env, actions: readonly Float32Array[]): Promise<Moment[]> {
  const moments: Moment[] = []
  for (const action of actions) {
    const { observation, info, reward, terminated, truncated } = await env.step(action)
    moments.push({ ...momentOf(env, observation, info), reward, terminated, truncated })
    if (terminated || truncated) await env.reset()
  }
  return moments
}

/** Where two traces differ first, e.g. `step 3: state`, or undefined when they are equal bit for bit. */
export function firstDifference(left: readonly Moment[], right: readonly Moment[]): string | undefined {
  for (const [step, a] of left.entries()) {
    const b = right[step]
    const what = b === undefined ? 'missing' : difference(a, b)
    if (what !== undefined) return `step ${step}: ${what}`
  }
  return left.length === right.length ? undefined : `${left.length} steps instead of ${right.length}`
}

/** What differs between two moments, or undefined. */
export function difference(a: Moment, b: Moment): string | undefined {
  const names = new Set([...Object.keys(a.arrays), ...Object.keys(b.arrays)])
  for (const name of names) if (!sameBytes(a.arrays[name], b.arrays[name])) return name
  if (!Object.is(a.reward, b.reward)) return 'reward'
  if (a.terminated !== b.terminated) return 'terminated'
  if (a.truncated !== b.truncated) return 'truncated'
  return JSON.stringify(a.info) === JSON.stringify(b.info) ? undefined : 'info'
}

function sameBytes(a: NdData | undefined, b: NdData | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}
