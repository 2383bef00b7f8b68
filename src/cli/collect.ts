import { rm } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { envs } from '../../envs/index.ts'
import type { EnvCopies } from '../../envs/vector/env-copies.ts'
import type { EnvEntry } from '../../envs/index.ts'
import type { CollectPreset } from '../config/collect-presets.ts'
import { collectPresets } from '../config/collect-presets.ts'
import { applyOverrides } from '../config/overrides.ts'
import type { EpisodeData, EpisodeInfo } from '../core/dataset.ts'
import type { CameraEnv, Env, Info } from '../core/env.ts'
import { isCameraEnv, isGoalEnv } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { inOrder } from '../core/in-order.ts'
import { lookUp } from '../core/registry.ts'
import { Rng } from '../core/rng.ts'
import { datasetSpecOf, EpisodeTrack } from '../run/episode-track.ts'
import { LeRobotWriter } from '../io/lerobot/writer.ts'
import { runVersions } from '../io/run-folder.ts'
import type { Behaviour } from '../compose/behaviours.ts'
import { behaviourOf, planOf } from '../compose/behaviours.ts'
import { isAddress } from '../compose/config.ts'
import type { CliContext } from './context.ts'
import type { CopiesFlags } from '../compose/copies.ts'
import { loadedModules } from './modules.ts'
import { copiesByFlags, requireOneRobot } from '../compose/copies.ts'
import { throwIfInterrupted } from './context.ts'
import type { RobotConnections } from './remote.ts'
import type { PolicyShare } from '../config/behaviours.ts'
import { checkedCameras } from './render-scene.ts'
import { defaultPolicy } from '../compose/scene-player.ts'

/** Objects are looked for in a picture of this size, in which small ones still take a pixel. */
const SEARCH_SIZE = { width: 240, height: 240 }

/** Where neither the user nor a preset says how many. */
const EPISODES = 100

/** Resets for an episode of a class. */
const MAX_TRIES = 50

/** What is left out comes from the preset, where one is named in the place of a scene. */
export interface CollectOptions extends CopiesFlags {
  /** Default 100. */
  readonly episodes?: number
  /** Behaviours with their shares of the episodes; default: the expert where there is one, else random play. */
  readonly policy?: readonly PolicyShare[]
  /** Names, or just `all`; default: those that the env observes. */
  readonly cameras?: readonly string[]
  /** Default 0. */
  readonly seed?: number
  /** Whether an episode ends with its first success. */
  readonly endAtSuccess?: boolean
  /** Folder to make. */
  readonly out: string
  readonly format: 'png' | 'mp4'
  /** `--set` assignments of env options, in order. */
  readonly set?: readonly string[]
  /** Connects the robot, where an address stands for the scene. */
  readonly robots?: RobotConnections
}

export interface CollectReport {
  readonly folder: string
  readonly env: string
  readonly cameras: readonly string[]
  readonly episodes: number
  /** Observations of all episodes. */
  readonly frames: number
  /** By policy; `successes` is null where the env knows no success. */
  readonly policies: Readonly<Record<string, { readonly episodes: number; readonly successes: number | null }>>
}

/**
 * `armature collect`: records episodes of a scene, or of a robot across the bridge, into a new LeRobot folder. The seed of an episode
 * depends on its number alone, but for classes that not every reset gives: there it is the first of its seeds that does. How many episodes
 * are played at the same time changes none of them. After Ctrl-C the folder holds the episodes that were finished, up to the first that was
 * not. The actions of a robot are those that it executed.
 *
 * @param name id of the scene, address of the robot, or one of the {@link collectPresets}
 * @throws ArmatureError `not-found` or `bad-argument` for an env, camera, policy or folder that cannot be used, before anything is
 *   written; `unwritable`; `interrupted`.
 */
export async function collectDataset(context: CliContext, name: string, given: CollectOptions): Promise<CollectReport> {
  const { id, envOptions, options } = withPreset(name, given)
  const { env, settings, entry } = isAddress(id)
    ? await connectRobot(id, envOptions, options)
    : await makeScene(lookUp('env', envs, id), envOptions, options.cameras)
  let copies: EnvCopies | undefined
  try {
    const shares = options.policy ?? [{ name: defaultPolicy(entry?.expert), share: 1 }]
    const behaviours: Behaviour[] = []
    for (const { name } of shares) behaviours.push(await behaviourOf(name, env, entry?.expert))
    const rng = new Rng(options.seed)
    const plan = planOf(shares, options.episodes, rng.split('policies')).map((i) => behaviours[i]!)
    copies = await copiesByFlags(env, { id, options: settings }, { ...options, registering: loadedModules() })
    const writer = await LeRobotWriter.create(options.out, datasetSpecOf(env), {
      images: options.format,
      task: entry?.summary ?? env.spec.id,
      record: { command: context.command, seed: options.seed, envOptions, versions: await runVersions() },
    })
    const played = { plan, seeds: rng.split('resets'), endAtSuccess: options.endAtSuccess === true }
    const report = await record(context, copies.envs, played, writer)
    const { folder, episodes, frames } = report
    context.print(`${folder}  ${episodes} episodes, ${frames} frames from ${report.cameras.join(', ') || 'no camera'}`)
    for (const [policy, { episodes: count, successes }] of Object.entries(report.policies)) {
      context.print(`  ${policy}: ${count}${successes === null ? '' : `, of which ${successes} succeeded`}`)
    }
    return report
  } finally {
    await copies?.close()
    await env.close()
  }
}

/** What is to be recorded, with all that neither the user nor a preset says. */
interface Plan {
  readonly id: string
  readonly envOptions: Readonly<Record<string, unknown>>
  readonly options: CollectOptions & { readonly episodes: number; readonly seed: number }
}

/** @throws ArmatureError `not-found` for a name that is neither a preset's nor a scene's. */
function withPreset(name: string, given: CollectOptions): Plan {
  const known: Readonly<Record<string, CollectPreset | EnvEntry>> = { ...collectPresets, ...envs }
  const entry = isAddress(name) ? undefined : lookUp('env or dataset', known, name)
  const preset = entry !== undefined && 'env' in entry ? entry : undefined
  const shares = Object.entries(preset?.policy ?? {}).map(([behaviour, share]) => ({ name: behaviour, share }))
  const policy = given.policy ?? (shares.length > 0 ? shares : undefined)
  const cameras = given.cameras ?? preset?.cameras
  const endAtSuccess = given.endAtSuccess ?? preset?.endAtSuccess
  return {
    id: preset?.env ?? name,
    envOptions: applyOverrides(preset?.options ?? {}, given.set ?? []),
    options: {
      ...given,
      episodes: given.episodes ?? preset?.episodes ?? EPISODES,
      seed: given.seed ?? preset?.seed ?? 0,
      ...(policy && { policy }),
      ...(cameras && { cameras }),
      ...(endAtSuccess && { endAtSuccess }),
    },
  }
}

/** What is recorded, what it was made with, and the registered scene that it is of, if any. */
interface Recorded {
  readonly env: Env
  readonly settings: Readonly<Record<string, unknown>>
  readonly entry: EnvEntry | undefined
}

/** The scene with `cameras` observed: then goals are rendered from them too. */
async function makeScene(
  entry: EnvEntry,
  settings: Readonly<Record<string, unknown>>,
  cameras: readonly string[] | undefined,
): Promise<Recorded> {
  const env = await entry.make(settings)
  if (cameras === undefined) return { env, settings, entry }
  try {
    const observing = { ...settings, cameras: checkedCameras(env, cameras) }
    return { env: await entry.make(observing), settings: observing, entry }
  } finally {
    await env.close()
  }
}

/** A robot shows what it shows: its cameras cannot be chosen from here. */
async function connectRobot(
  robot: string,
  options: Readonly<Record<string, unknown>>,
  { cameras, robots, ...flags }: CollectOptions,
): Promise<Recorded> {
  requireOneRobot(flags)
  if (cameras !== undefined) {
    throw new ArmatureError('bad-argument', '--cameras', {
      got: 'a robot across the bridge, which shows the cameras that it has',
      fix: 'leave it out, or start the robot with other cameras',
    })
  }
  const env = await robots!.connect({ id: await robots!.nameOf(robot), robot, options })
  return { env, settings: options, entry: envs[env.spec.id] }
}

/** What acts in each episode, the stream that its seed is drawn from, and when it ends. */
interface Played {
  readonly plan: readonly Behaviour[]
  readonly seeds: Rng
  readonly endAtSuccess: boolean
}

async function record(
  context: CliContext,
  copies: readonly Env[],
  played: Played,
  writer: LeRobotWriter,
): Promise<CollectReport> {
  const { plan } = played
  const phase = context.progress.phase('collect', plan.length, { unit: 'episodes' })
  const policies: Record<string, { episodes: number; successes: number | null }> = {}
  let frames = 0
  try {
    const play = (env: Env, i: number): Promise<EpisodeData> => playClass(context, env, played, i)
    for await (const episode of inOrder(copies, plan.length, play)) {
      await writer.addEpisode(episode)
      const { index, length, success } = episode.info
      frames += length
      const tally = (policies[plan[index]!.name] ??= { episodes: 0, successes: success === undefined ? null : 0 })
      tally.episodes++
      if (success === true) tally.successes = (tally.successes ?? 0) + 1
      phase.update(index + 1)
    }
  } catch (error) {
    throwIfInterrupted(
      context,
      writer.episodes > 0 ? `${writer.path} keeps ${writer.episodes} whole episodes` : undefined,
    )
    throw error
  } finally {
    try {
      await writer.close()
    } finally {
      // Also where the disk is full: an empty folder would be in the way of the next try.
      if (writer.episodes === 0) await rm(writer.path, { recursive: true })
    }
  }
  phase.finish()
  const { spec } = copies[0]!
  const cameras = Object.keys(spec.imageSpaces)
  return { folder: writer.path, env: spec.id, cameras, episodes: plan.length, frames, policies }
}

/** An episode of the class of `behaviour`, from the first seed that gives one. */
async function playClass(
  context: CliContext,
  env: Env,
  { plan, seeds, endAtSuccess }: Played,
  index: number,
): Promise<EpisodeData> {
  const behaviour = plan[index]!
  const own = seeds.split(index)
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const episode = await playEpisode(context, env, behaviour, { index, seed: own.nextSeed(), endAtSuccess })
    if (episode !== undefined) return episode
  }
  throw new ArmatureError('bad-value', `--policy ${behaviour.name} in ${env.spec.id}`, {
    expected: 'an episode of this class',
    got: `none from ${MAX_TRIES} resets`,
    fix: 'leave it out for this scene',
  })
}

/** An episode from its reset to its end; undefined when it turns out to be of another class. */
async function playEpisode(
  context: CliContext,
  env: Env,
  behaviour: Behaviour,
  { index, seed, endAtSuccess }: { readonly index: number; readonly seed: number; readonly endAtSuccess: boolean },
): Promise<EpisodeData | undefined> {
  let { observation, info } = await env.reset({ seed })
  const goal = isGoalEnv(env) ? { images: await env.renderGoal(env.goal), state: env.goal.slice() } : undefined
  const about = { objects: await visibleObjects(env), ...shownBy(info), ...(goal && { goal: goal.state }) }
  const player = await behaviour.begin(env, seed, goal)
  const first = observation.state.slice()
  const track = new EpisodeTrack()
  track.observe(observation)
  let terminated = false
  for (let ended = false; !ended;) {
    const action = Float32Array.from(await player(observation))
    const step = await env.step(action)
    ;({ observation, info, terminated } = step)
    track.step(step.appliedAction ?? action, step.reward)
    track.observe(observation)
    ended = terminated || step.truncated || (endAtSuccess && info['success'] === 1)
    if (behaviour.isSpoilt?.(first, observation.state, info['success'] === 1) === true) return undefined
    // Envs and policies may answer without ever leaving the microtask queue: Ctrl-C gets its turn here.
    await setImmediate()
    throwIfInterrupted(context)
  }
  const success = info['success']
  return {
    info: {
      index,
      length: track.length,
      terminated,
      ...(success !== undefined && { success: success > 0 }),
      seed,
      policy: behaviour.name,
      ...about,
    },
    ...track.arrays(),
    ...(goal && { goalImages: goal.images }),
  }
}

/**
 * Ids of the objects that the first camera sees, where the scene tells objects apart: the number of the object where it is made of
 * numbered parts (`object-<number>-<part>`), else that of its primitive in `idNames`.
 */
async function visibleObjects(env: Env): Promise<number[]> {
  if (!isCameraEnv(env)) return []
  const objects = objectNumbers(env)
  if (objects.size === 0) return []
  const ids = new Set(await env.renderIds(Object.keys(env.spec.imageSpaces)[0], SEARCH_SIZE))
  const seen = [...ids].flatMap((id) => objects.get(id) ?? [])
  return [...new Set(seen)].toSorted((a, b) => a - b)
}

function objectNumbers({ idNames }: CameraEnv): Map<number, number> {
  const objects = new Map<number, number>()
  for (const [id, name] of idNames.entries()) {
    const [, number, part] = /^object-(\d+)-(.+)$/.exec(name) ?? []
    if (number !== undefined) objects.set(id, /^\d+$/.test(part!) ? Number(number) : id)
  }
  return objects
}

/** What a scene draws of its looks at a reset; masses, frictions and delays cannot be seen. */
const LOOK = /^random_(?=(?:hue|texture|light|camera)_)/

/** What the info of a reset says of what is to be seen. */
function shownBy(info: Info): Pick<EpisodeInfo, 'distractor' | 'looks'> {
  const clip = info['distractor_clip']
  const looks = Object.entries(info)
    .filter(([name, value]) => LOOK.test(name) && Number.isFinite(value))
    .map(([name, value]) => [name.replace(LOOK, ''), value] as const)
  return {
    ...(clip !== undefined && { distractor: `clip-${clip}` }),
    ...(looks.length > 0 && { looks: Object.fromEntries(looks) }),
  }
}
