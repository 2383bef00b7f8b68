import type {
  CameraEnv,
  Env,
  EnvState,
  GoalEnv,
  Info,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from '../../src/core/env.ts'
import { isCameraEnv, isGoalEnv, isSimulatedEnv } from '../../src/core/env.ts'
import { makeEnvs } from './env-source.ts'
import type { EnvThread } from './env-thread.ts'
import { failureInEnv, startThreads } from './env-thread.ts'

export interface CopiesOptions {
  /** Under which `env` is registered. */
  readonly id: string
  /** Envs in all. */
  readonly count: number
  /** Threads that share them; 0: they run in this one. More than `count` are not started. */
  readonly workers: number
  /** What `env` was made with, values that JSON can carry. */
  readonly options: Readonly<Record<string, unknown>>
  /** URLs of modules that register envs: threads run them before they make any. */
  readonly registering?: readonly string[]
}

/** Envs of one kind, each of which can be reset and stepped by itself. */
export interface EnvCopies {
  readonly envs: readonly Env[]
  /** Closes all but the env that they are copies of. */
  readonly close: () => Promise<void>
}

/**
 * `count` envs like `env`: itself and others in this thread, or as many in threads of their own. Where they run changes no byte of what
 * they show.
 * @param env of the catalogue; it answers for those in threads what does not depend on the episode, and stays open
 * @throws what making the envs throws
 */
export async function copiesOf(
  env: Env,
  { id, count, workers, options, registering = [] }: CopiesOptions,
): Promise<EnvCopies> {
  const source = { id, options, module: undefined, registering }
  if (workers === 0) {
    const others = await makeEnvs({ ...source, registering: [] }, count - 1)
    return { envs: [env, ...others], close: async () => void (await Promise.all(others.map((other) => other.close()))) }
  }
  const { threads } = await startThreads(source, count, Math.min(workers, count))
  const envs = threads.flatMap((thread) =>
    Array.from({ length: thread.count }, (_, i) => envInThread(env, thread, thread.first + i)),
  )
  const close = async (): Promise<void> => {
    await Promise.allSettled(envs.map((other) => other.close()))
    await Promise.all(threads.map((thread) => thread.terminate()))
  }
  return { envs, close }
}

type Call = <T>(method: string, ...args: readonly unknown[]) => Promise<T>

/** Env `index`, which lives in `thread`; `model` is one like it in this thread. */
function envInThread(model: Env, thread: EnvThread, index: number): Env {
  const { spec } = model
  const goal = isGoalEnv(model) ? model.goal.slice() : new Float32Array(0)
  const call: Call = async <T>(method: string, ...args: readonly unknown[]) => {
    try {
      const result = await thread.call({ index, method, args })
      if (result.goal !== undefined) goal.set(result.goal)
      return result.value as T
    } catch (error) {
      throw failureInEnv(spec.id, error, 'failed')
    }
  }
  return {
    spec,
    reset: (options?: ResetOptions) => call<ResetResult>('reset', options),
    step: (action: Float32Array) => call<StepResult>('step', action),
    render: (camera, size) => call<Uint8Array>('render', camera, size),
    close: () => call('close'),
    ...(isSimulatedEnv(model) && savable(call)),
    ...(isGoalEnv(model) && withGoals(model, goal, call)),
    ...(isCameraEnv(model) && withCameras(model, call)),
  } satisfies Env
}

function savable(call: Call): Omit<SimulatedEnv, keyof Env> {
  return {
    saveState: () => call<EnvState>('saveState'),
    restoreState: (state) => call('restoreState', state),
  }
}

/** What does not depend on the episode is asked of the model. */
function withGoals(model: GoalEnv, goal: Float32Array, call: Call): Omit<GoalEnv, keyof Env> {
  return {
    goalSpace: model.goalSpace,
    goal,
    sampleGoal: (rng) => model.sampleGoal(rng),
    achievedGoal: (state) => model.achievedGoal(state),
    goalDistances: (achieved, desired): Info => model.goalDistances(achieved, desired),
    renderGoal: (point) => call('renderGoal', point),
  }
}

function withCameras(model: CameraEnv, call: Call): Omit<CameraEnv, keyof Env> {
  return {
    idNames: model.idNames,
    renderDepth: (camera, size) => call('renderDepth', camera, size),
    renderIds: (camera, size) => call('renderIds', camera, size),
    cameraMatrices: (camera, size) => call('cameraMatrices', camera, size),
  }
}
