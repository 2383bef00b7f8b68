import { envs } from '../../envs/index.ts'
import type { Env } from '../core/env.ts'
import { sizeOf } from '../core/ndarray.ts'
import { Rng } from '../core/rng.ts'
import type { Benchmark } from './benchmarks.ts'
import { benchmarks as parts } from './benchmarks.ts'

/** A scene that is timed, under the name that its fields carry. */
interface TimedScene {
  readonly name: string
  /** Without version: the newest registered one is meant. */
  readonly id: string
  readonly options?: Readonly<Record<string, unknown>>
}

const SCENES: readonly TimedScene[] = [
  { name: 'push_puck', id: 'armature/PushPuck' },
  { name: 'push_multi', id: 'armature/PushMulti', options: { objects: 5 } },
  { name: 'arm_push', id: 'armature/ArmPush' },
  { name: 'cart_pole', id: 'armature/CartPole' },
]
const SEED = 0
const SIZE = { width: 64, height: 64 }
const STEPS = 200
const FRAMES = 200
const COPIES = 10_000

interface SceneBenchmarks {
  readonly benchmarks: Readonly<Record<string, Benchmark>>
  /** Ids of scenes that are not registered, so that none of their fields exist. */
  readonly skipped: readonly string[]
}

/**
 * What `armature bench env` times, by the name of its field: for each scene its steps, and the parts that a step is made of. Step
 * time is about physics + render + copy, and the resets' share.
 */
export function sceneBenchmarks(): SceneBenchmarks {
  const benchmarks: Record<string, Benchmark> = {}
  const skipped: string[] = []
  for (const scene of SCENES) {
    const id = newestId(scene.id)
    if (id === undefined) skipped.push(scene.id)
    else Object.assign(benchmarks, benchmarksOf(scene, id))
  }
  const copy: Benchmark = { measures: 'copying one 64x64 RGB frame', unitsPerRun: COPIES, prepare: frameCopies }
  return { benchmarks: { ...benchmarks, env_copy_ms: copy, camera_fps: parts.camera_fps! }, skipped }
}

function newestId(id: string): string | undefined {
  const version = (full: string): number => Number(full.slice(id.length + 2))
  return Object.keys(envs)
    .filter((full) => full.startsWith(`${id}-v`))
    .toSorted((a, b) => version(b) - version(a))[0]
}

function benchmarksOf({ name, id, options = {} }: TimedScene, fullId: string): Record<string, Benchmark> {
  const make = (camera: Readonly<Record<string, unknown>>): Promise<Env> =>
    envs[fullId]!.make({ ...options, ...camera })
  const scene = id.slice(id.indexOf('/') + 1)
  return {
    [`env_${name}_steps_per_s`]: {
      measures: `${scene} steps with 64x64 RGB, resets included`,
      unitsPerRun: STEPS,
      prepare: async () => randomPlay(await make({ size: SIZE })),
    },
    [`env_${name}_physics_ms`]: {
      measures: `a ${scene} step whose camera has one pixel: physics, task, placing what is drawn`,
      unitsPerRun: STEPS,
      prepare: async () => randomPlay(await make({ size: 1, supersample: 'off' })),
    },
    [`env_${name}_render_ms`]: {
      measures: `one 64x64 frame of ${scene}, 2x2 samples a pixel`,
      unitsPerRun: FRAMES,
      prepare: async () => frames(await make({ size: SIZE })),
    },
  }
}

/** Random actions; an episode that ends is followed by the next. */
async function randomPlay(env: Env): ReturnType<Benchmark['prepare']> {
  const { actionSpace } = env.spec
  const rng = new Rng(SEED)
  const action = new Float32Array(sizeOf(actionSpace.shape))
  await env.reset({ seed: SEED })
  const run = async (): Promise<void> => {
    for (let i = 0; i < STEPS; i++) {
      const { terminated, truncated } = await env.step(rng.fillUniform(action, -1, 1))
      if (terminated || truncated) await env.reset()
    }
  }
  return { run, close: () => env.close() }
}

/** The observed camera again and again; what does not move is kept from frame to frame, as it is in a step. */
async function frames(env: Env): ReturnType<Benchmark['prepare']> {
  await env.reset({ seed: SEED })
  const camera = Object.keys(env.spec.imageSpaces)[0]
  const run = async (): Promise<void> => {
    for (let i = 0; i < FRAMES; i++) await env.render(camera, SIZE)
  }
  return { run, close: () => env.close() }
}

async function frameCopies(): ReturnType<Benchmark['prepare']> {
  const from = new Uint8Array(SIZE.width * SIZE.height * 3).fill(1)
  const to = new Uint8Array(from.length)
  const run = async (): Promise<void> => {
    for (let i = 0; i < COPIES; i++) to.set(from)
  }
  return { run, close: async () => {} }
}
