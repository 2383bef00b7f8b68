import type { Env, Info, SimulatedGoalEnv, SimulatedEnv } from '../src/core/env.ts'
import { DISTRACTOR_ID, isCameraEnv, isGoalEnv, isSimulatedEnv, isSimulatedGoalEnv } from '../src/core/env.ts'
import type { ErrorCode } from '../src/core/errors.ts'
import { ArmatureError } from '../src/core/errors.ts'
import type { NdData } from '../src/core/ndarray.ts'
import { sizeOf } from '../src/core/ndarray.ts'
import { Rng } from '../src/core/rng.ts'
import type { BoxSpace } from '../src/core/spaces.ts'
import { bound, whyOutside } from '../src/core/spaces.ts'
import { arraysOf, difference, firstDifference, momentOf, play, randomActions, resetMoment } from './check-trace.ts'

/** What a case gets: an env in any state and, where the caller gave a factory, a way to make new ones. */
export interface CheckContext {
  readonly env: Env
  readonly make: (() => Promise<Env>) | undefined
  readonly seed: number
  readonly steps: number
}

/** Returns what is wrong, or undefined. What it throws counts as wrong too. */
export type CheckCase = (context: CheckContext) => Promise<string | undefined> | string | undefined

export const cases: Readonly<Record<string, CheckCase>> = {
  'spec is complete': ({ env }) => whySpec(env),
  'actions lie in [-1, 1]': ({ env }) => {
    const { actionSpace } = env.spec
    for (let i = 0; i < sizeOf(actionSpace.shape); i++) {
      const [low, high] = [bound(actionSpace.low, i), bound(actionSpace.high, i)]
      if (low !== -1 || high !== 1) return `element ${i} goes from ${low} to ${high}`
    }
    return undefined
  },
  'reset repeats with its seed': async ({ env, seed, steps }) => {
    const first = await resetMoment(env, seed)
    await play(env, randomActions(env, new Rng(seed), Math.min(steps, 10)))
    const what = difference(first, await resetMoment(env, seed))
    return what && `${what} differs after the same seed`
  },
  'reset without seed continues the stream': async ({ env, seed }) => {
    const first = [await resetMoment(env, seed), await resetMoment(env), await resetMoment(env)]
    const second = [await resetMoment(env, seed), await resetMoment(env), await resetMoment(env)]
    const what = firstDifference(first, second)
    if (what !== undefined) return `second reset after the same seed: ${what} differs`
    return difference(first[1]!, first[2]!) === undefined ? 'every reset is the same' : undefined
  },
  'seeds change the start or the goal': async ({ env, seed }) => {
    const first = await resetMoment(env, seed)
    for (let other = 1; other <= 5; other++) {
      if (difference(first, await resetMoment(env, seed + other)) !== undefined) return undefined
    }
    return 'six seeds give the same observation and goal'
  },
  'steps repeat with the seed': async ({ env, seed, steps }) => {
    const actions = randomActions(env, new Rng(seed), steps)
    await env.reset({ seed })
    const first = await play(env, actions)
    await env.reset({ seed })
    return firstDifference(first, await play(env, actions))
  },
  'observations are in their spaces': async ({ env, seed, steps }) => {
    const { observation } = await env.reset({ seed })
    const why = whyOutsideSpaces(env, arraysOf(observation))
    if (why !== undefined) return `after reset: ${why}`
    for (const moment of await play(env, randomActions(env, new Rng(seed), steps))) {
      const { goal: _goal, ...arrays } = moment.arrays
      const whyNow = whyOutsideSpaces(env, arrays)
      if (whyNow !== undefined) return whyNow
    }
    return undefined
  },
  'arrays share no memory': async ({ env, seed }) => {
    await env.reset({ seed })
    const action = randomActions(env, new Rng(seed), 1)[0]!
    const { observation } = await env.step(action)
    const arrays: [string, NdData][] = [['action', action], ...Object.entries(arraysOf(observation))]
    if (isGoalEnv(env)) arrays.push(['goal', env.goal])
    for (const [i, [name, array]] of arrays.entries()) {
      const other = arrays.slice(i + 1).find(([, candidate]) => overlaps(array, candidate))
      if (other !== undefined) return `${name} and ${other[0]} share memory`
    }
    return undefined
  },
  'observations change under random play': async ({ env, seed, steps }) => {
    const first = await resetMoment(env, seed)
    const moments = await play(env, randomActions(env, new Rng(seed), steps))
    for (const name of Object.keys(first.arrays)) {
      if (name === 'goal') continue
      const start = String(first.arrays[name])
      if (moments.every((moment) => String(moment.arrays[name]) === start)) return `${name} stays the same`
    }
    return undefined
  },
  'rewards and info are finite': async ({ env, seed, steps }) => {
    await env.reset({ seed })
    for (const [step, { reward, info }] of (await play(env, randomActions(env, new Rng(seed), steps))).entries()) {
      if (!Number.isFinite(reward)) return `step ${step}: reward ${reward}`
      const bad = Object.entries(info).find(([, value]) => !Number.isFinite(value))
      if (bad !== undefined) return `step ${step}: info ${bad[0]} ${bad[1]}`
    }
    return undefined
  },
  'episodes end as they should': async ({ env, seed }) => {
    await env.reset({ seed })
    const { maxEpisodeSteps } = env.spec
    for (const [index, action] of randomActions(env, new Rng(seed), maxEpisodeSteps).entries()) {
      const { terminated, truncated } = await env.step(action)
      if (terminated && truncated) return `step ${index}: both terminated and truncated`
      if (truncated && index + 1 < maxEpisodeSteps) return `truncated after ${index + 1} of ${maxEpisodeSteps} steps`
      if (terminated || truncated) return undefined
    }
    return `still running after ${maxEpisodeSteps} steps`
  },
  'step before the first reset is refused': async ({ make }) => {
    if (make === undefined) return undefined
    const fresh = await make()
    const why = await whyNotRefused('needs-reset', () => fresh.step(zeroAction(fresh)))
    await fresh.close()
    return why
  },
  'step after the end is refused': async ({ env, seed }) => {
    await env.reset({ seed })
    for (let i = 0; i < env.spec.maxEpisodeSteps; i++) {
      const { terminated, truncated } = await env.step(zeroAction(env))
      if (terminated || truncated) break
    }
    return whyNotRefused('needs-reset', () => env.step(zeroAction(env)))
  },
  'an action of the wrong length is refused': async ({ env, seed }) => {
    await env.reset({ seed })
    return whyNotRefused('bad-shape', () => env.step(new Float32Array(zeroAction(env).length + 1)))
  },
  'an action that is NaN or beyond 1 is refused': async ({ env, seed }) => {
    await env.reset({ seed })
    return (
      (await whyNotRefused('bad-value', () => env.step(zeroAction(env).fill(Number.NaN)))) ??
      (await whyNotRefused('bad-value', () => env.step(zeroAction(env).fill(1.5))))
    )
  },
  'a refused action changes nothing': async ({ env, seed }) => {
    const actions = randomActions(env, new Rng(seed), 3)
    await env.reset({ seed })
    const undisturbed = await play(env, actions)
    await env.reset({ seed })
    await refusal(() => env.step(zeroAction(env).fill(Number.NaN)))
    return firstDifference(undisturbed, await play(env, actions))
  },
  'the corners of the action space are accepted': async ({ env, seed }) => {
    await env.reset({ seed })
    await play(env, [zeroAction(env).fill(1), zeroAction(env).fill(-1)])
    return undefined
  },
  'an unknown reset option is refused': ({ env, seed }) =>
    whyNotRefused('bad-argument', () => env.reset({ seed, options: { noSuchOption: 1 } })),
  'render leaves the observation alone': async ({ env, seed }) => {
    const { cameras, imageSpaces } = env.spec
    if ((cameras ?? Object.keys(imageSpaces)).length === 0) return undefined
    const { observation, info } = await env.reset({ seed })
    const before = momentOf(env, observation, info)
    const image = await env.render(undefined, { width: 20, height: 12 })
    if (image.length !== 20 * 12 * 3) return `an image of 20 x 12 has ${image.length} bytes`
    return difference(before, momentOf(env, observation, info))
  },
  'a saved state continues bit for bit': async (context) =>
    isSimulatedEnv(context.env) ? whySavedDiffers(context.env, context) : undefined,
  'goals are in their space': async ({ env, seed }) => {
    if (!isGoalEnv(env)) return undefined
    await env.reset({ seed })
    const [first, again] = [env.sampleGoal(new Rng(seed)), env.sampleGoal(new Rng(seed))]
    if (String(first) !== String(again)) return 'sampleGoal differs with the same rng'
    return whyOutside(env.goalSpace, env.goal) ?? whyOutside(env.goalSpace, first)
  },
  'goal distances fit the reward': async ({ env, seed }) =>
    isSimulatedGoalEnv(env) ? whyDistances(env, seed) : undefined,
  'standing still does not succeed': async ({ env, seed }) =>
    isSimulatedGoalEnv(env) ? whyIdle(env, seed) : undefined,
  'a goal image restores the state': async ({ env, seed, steps }) =>
    isSimulatedGoalEnv(env) ? whyGoalImageDisturbs(env, seed, steps) : undefined,
  'a goal image looks like the goal': async ({ env, seed }) =>
    isSimulatedGoalEnv(env) ? whyGoalImage(env, seed) : undefined,
  'close may be called twice and ends it': async ({ env, make }) => {
    const closed = make === undefined ? env : await make()
    await closed.reset()
    await closed.close()
    await closed.close()
    return (
      (await whyNotRefused('closed', () => closed.reset())) ??
      whyNotRefused('closed', () => closed.step(zeroAction(closed)))
    )
  },
}

function whySpec({ spec }: Env): string | undefined {
  if (!/^[\w-]+\/[\w-]+-v\d+$/.test(spec.id)) return `id ${spec.id} is not namespace/Name-vN`
  if (!(spec.controlHz > 0)) return `controlHz ${spec.controlHz}`
  if (!Number.isInteger(spec.maxEpisodeSteps) || spec.maxEpisodeSteps < 1)
    return `maxEpisodeSteps ${spec.maxEpisodeSteps}`
  for (const [camera, { dtype, shape }] of Object.entries(spec.imageSpaces)) {
    // Stacked frames lie along the channels.
    if (dtype !== 'uint8' || shape.length !== 3 || !(shape[2]! > 0 && shape[2]! % 3 === 0))
      return `camera ${camera} is ${dtype} [${shape.join(', ')}]`
  }
  const named = { actionSpace: spec.actionSpace, proprioSpace: spec.proprioSpace, stateSpace: spec.stateSpace }
  for (const [name, space] of Object.entries(named)) {
    const why = whyVectorSpace(space)
    if (why !== undefined) return `${name}: ${why}`
  }
  return undefined
}

function whyVectorSpace(space: BoxSpace): string | undefined {
  const size = sizeOf(space.shape)
  if (space.dtype !== 'float32') return `dtype ${space.dtype}`
  if (space.names?.length !== size) return `${space.names?.length ?? 'no'} names for ${size} elements`
  for (let i = 0; i < size; i++) {
    const [low, high] = [bound(space.low, i), bound(space.high, i)]
    if (!Number.isFinite(low) || !Number.isFinite(high) || low >= high)
      return `element ${i} goes from ${low} to ${high}`
  }
  return undefined
}

function whyOutsideSpaces({ spec }: Env, arrays: Readonly<Record<string, NdData>>): string | undefined {
  const spaces: Record<string, BoxSpace> = { proprio: spec.proprioSpace, state: spec.stateSpace }
  for (const [camera, space] of Object.entries(spec.imageSpaces)) spaces[`images.${camera}`] = space
  const names = new Set([...Object.keys(spaces), ...Object.keys(arrays)])
  for (const name of names) {
    const [space, array] = [spaces[name], arrays[name]]
    if (space === undefined || array === undefined)
      return `${name} is ${space === undefined ? 'in no space' : 'missing'}`
    const why = whyOutside(space, array)
    if (why !== undefined) return `${name}: ${why}`
  }
  return undefined
}

async function whySavedDiffers(env: SimulatedEnv, { make, seed, steps }: CheckContext): Promise<string | undefined> {
  const actions = randomActions(env, new Rng(seed), steps)
  const lead = Math.min(Math.floor(steps / 2), env.spec.maxEpisodeSteps - 1)
  await env.reset({ seed })
  for (const action of actions.slice(0, lead)) {
    const { terminated, truncated } = await env.step(action)
    if (terminated || truncated) await env.reset()
  }
  const saved = await env.saveState()
  const rest = actions.slice(lead)
  const first = await play(env, rest)
  await env.restoreState(saved)
  const again = firstDifference(first, await play(env, rest))
  if (again !== undefined || make === undefined) return again
  const other = (await make()) as SimulatedEnv
  await other.restoreState(saved)
  const elsewhere = firstDifference(first, await play(other, rest))
  await other.close()
  return elsewhere && `in a new env, ${elsewhere}`
}

async function whyDistances(env: SimulatedGoalEnv, seed: number): Promise<string | undefined> {
  const { observation } = await env.reset({ seed })
  const achieved = env.achievedGoal(observation.state)
  if (achieved.length !== sizeOf(env.goalSpace.shape)) return `achieved goal has ${achieved.length} elements`
  if (env.goalDistances(achieved, achieved)['distance'] !== 0) return 'the distance of a goal to itself is not 0'
  const given = env.sampleGoal(new Rng(seed))
  env.setGoal(given)
  given.fill(0)
  if (String(env.goal) !== String(env.sampleGoal(new Rng(seed)))) return 'setGoal keeps the array instead of its values'
  const far = await env.step(zeroAction(env))
  const expected = env.goalDistances(env.achievedGoal(far.observation.state), env.sampleGoal(new Rng(seed)))
  for (const [name, distance] of Object.entries(expected)) {
    if (far.info[name] !== distance) return `info.${name} is ${far.info[name]}, not ${distance}`
  }
  const { achieved: reached, info } = await stepToGoal(env)
  if (info['success'] === 1) return undefined
  return `no success after a step that ends at the goal [${reached.join(', ')}]`
}

/** A step with a zero action towards a goal that it leads to. In some envs that moves, e.g. joints to the middle of their range. */
async function stepToGoal(env: SimulatedGoalEnv): Promise<{ readonly achieved: Float32Array; readonly info: Info }> {
  const simulated = isSimulatedEnv(env) ? env : undefined
  const before = await simulated?.saveState()
  const { observation } = await env.step(zeroAction(env))
  const achieved = env.achievedGoal(observation.state)
  if (simulated !== undefined) await simulated.restoreState(before!)
  env.setGoal(achieved)
  return { achieved, info: (await env.step(zeroAction(env))).info }
}

const IDLE_RESETS = 20
const IDLE_STEPS = 3
/** As many of the starts may happen to lie at their goals. */
const MOST_IDLE_SUCCESSES = 6

async function whyIdle(env: SimulatedGoalEnv, seed: number): Promise<string | undefined> {
  let successes = 0
  for (let start = 0; start < IDLE_RESETS; start++) {
    let { info } = await env.reset({ seed: seed + start })
    for (let step = 0; step < IDLE_STEPS && info['success'] !== 1; step++) {
      const after = await env.step(zeroAction(env))
      info = after.info
      if (after.terminated || after.truncated) break
    }
    if (info['success'] === 1) successes++
  }
  if (successes <= MOST_IDLE_SUCCESSES) return undefined
  return `it succeeds without moving in ${successes} of ${IDLE_RESETS} episodes: goals lie where it starts, or success takes too little`
}

async function whyGoalImageDisturbs(env: SimulatedGoalEnv, seed: number, steps: number): Promise<string | undefined> {
  const actions = randomActions(env, new Rng(seed), steps)
  await env.reset({ seed })
  const undisturbed = await play(env, actions)
  const { observation, info } = await env.reset({ seed })
  const before = momentOf(env, observation, info)
  await env.renderGoal(env.sampleGoal(new Rng(seed)))
  const what = difference(before, momentOf(env, observation, info))
  if (what !== undefined) return `it changes ${what} of the observation`
  return firstDifference(undisturbed, await play(env, actions))
}

async function whyGoalImage(env: SimulatedGoalEnv, seed: number): Promise<string | undefined> {
  const { observation } = await env.reset({ seed })
  const here = await env.renderGoal(env.achievedGoal(observation.state))
  const there = await env.renderGoal(env.sampleGoal(new Rng(seed)))
  for (const [camera, image] of Object.entries(observation.images)) {
    const isScene = await sceneMask(env, camera)
    const [near, far] = [here, there].map((images) => meanDifference(image, images[camera], isScene)) as [
      number,
      number,
    ]
    if (!(near < 0.5)) return `camera ${camera}: at the present state it differs by ${near} of 255 from the observation`
    if (!(far > near)) return `camera ${camera}: another goal looks the same`
  }
  return undefined
}

/** Which pixels of the current image of `camera` show the scene alone, with no distractor in or beside them. */
async function sceneMask(env: Env, camera: string): Promise<(pixel: number) => boolean> {
  const ids = isCameraEnv(env) ? await env.renderIds(camera) : new Uint16Array()
  if (!ids.includes(DISTRACTOR_ID)) return () => true
  const width = env.spec.imageSpaces[camera]!.shape[1]!
  const around = [-width - 1, -width, -width + 1, -1, 0, 1, width - 1, width, width + 1]
  return (pixel) => around.every((offset) => ids[pixel + offset] !== DISTRACTOR_ID)
}

function meanDifference(a: Uint8Array, b: Uint8Array | undefined, isCompared: (pixel: number) => boolean): number {
  if (b?.length !== a.length) return Number.NaN
  let [sum, count] = [0, 0]
  for (let i = 0; i < a.length; i++) {
    if (!isCompared(Math.floor(i / 3))) continue
    sum += Math.abs(a[i]! - b[i]!)
    count++
  }
  return sum / count
}

function zeroAction(env: Env): Float32Array {
  return new Float32Array(sizeOf(env.spec.actionSpace.shape))
}

function overlaps(a: NdData, b: NdData): boolean {
  if (a.buffer !== b.buffer) return false
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
}

async function whyNotRefused(code: ErrorCode, attempt: () => Promise<unknown>): Promise<string | undefined> {
  const error = await refusal(attempt)
  if (error === undefined) return `expected error ${code}, nothing was thrown`
  if (error instanceof ArmatureError && error.code === code) return undefined
  return `expected error ${code}, got ${error instanceof Error ? error.message : typeof error}`
}

async function refusal(attempt: () => Promise<unknown>): Promise<unknown> {
  try {
    await attempt()
    return undefined
  } catch (error) {
    return error
  }
}
