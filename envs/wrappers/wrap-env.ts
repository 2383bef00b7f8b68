import type {
  Env,
  EnvSpec,
  EnvState,
  SimulatedGoalEnv,
  ResetOptions,
  ResetResult,
  SimulatedEnv,
  StepResult,
} from '../../src/core/env.ts'
import { isSimulatedEnv, isSimulatedGoalEnv } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'

/** What a wrapper must remember beyond the env in it: `json` survives JSON.stringify. */
export interface LayerState {
  readonly json: unknown
  readonly bytes?: Uint8Array
}

/** What a wrapper changes of an env; the rest is passed on. */
export interface Layer {
  /** kebab-case; marks saved states. */
  readonly name: string
  readonly spec?: EnvSpec
  reset?(options?: ResetOptions): Promise<ResetResult>
  step?(action: Float32Array): Promise<StepResult>
  /** Called after `setGoal`. */
  onGoal?(): void
  /** Makes goal images like the observed ones. */
  goalImages?(images: Readonly<Record<string, Uint8Array>>): Readonly<Record<string, Uint8Array>>
  save?(): LayerState
  /** Called after the env in it has been restored. */
  restore?(state: LayerState): void
}

/** How the state of a layer lies in that of the env; its snapshot is the inner one followed by the layer's bytes. */
interface SavedState {
  readonly inner: string
  readonly innerBytes: number
  readonly own: unknown
}

/**
 * `env` with a layer around it. It can do what `env` can: it has goals and a state to save only where `env` has them. The wrapped env is
 * not to be used beside it.
 */
export function wrapEnv<E extends Env>(env: E, layer: Layer): E {
  const wrapped: Env = {
    spec: layer.spec ?? env.spec,
    reset: (options) => (layer.reset ? layer.reset(options) : env.reset(options)),
    step: (action) => (layer.step ? layer.step(action) : env.step(action)),
    render: (camera, size) => env.render(camera, size),
    close: () => env.close(),
  }
  if (isSimulatedEnv(env)) Object.assign(wrapped, savingOf(env, layer))
  if (isSimulatedGoalEnv(env)) Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(goalsOf(env, layer)))
  return wrapped as E
}

function savingOf(env: SimulatedEnv, layer: Layer): Pick<SimulatedEnv, 'saveState' | 'restoreState'> {
  const mark = `+${layer.name}`
  return {
    async saveState() {
      const { id, json, snapshot } = await env.saveState()
      const { json: own, bytes = new Uint8Array(0) } = layer.save?.() ?? { json: null }
      const saved: SavedState = { inner: json, innerBytes: snapshot.length, own }
      const both = new Uint8Array(snapshot.length + bytes.length)
      both.set(snapshot)
      both.set(bytes, snapshot.length)
      return { id: `${id}${mark}`, json: JSON.stringify(saved), snapshot: both }
    },
    async restoreState({ id, json, snapshot }: EnvState) {
      if (!id.endsWith(mark)) {
        throw new ArmatureError('bad-argument', `state for ${env.spec.id} in ${layer.name}`, {
          expected: 'one saved by an env in the same wrappers',
          got: `one of ${id}`,
        })
      }
      const { inner, innerBytes, own } = JSON.parse(json) as SavedState
      const innerId = id.slice(0, -mark.length)
      await env.restoreState({ id: innerId, json: inner, snapshot: snapshot.slice(0, innerBytes) })
      layer.restore?.({ json: own, bytes: snapshot.slice(innerBytes) })
    },
  }
}

function goalsOf(env: SimulatedGoalEnv, layer: Layer): Omit<SimulatedGoalEnv, keyof SimulatedEnv> {
  return {
    goalSpace: env.goalSpace,
    get goal() {
      return env.goal
    },
    setGoal(goal) {
      env.setGoal(goal)
      layer.onGoal?.()
    },
    sampleGoal: (rng) => env.sampleGoal(rng),
    achievedGoal: (state) => env.achievedGoal(state),
    goalDistances: (achieved, desired) => env.goalDistances(achieved, desired),
    async renderGoal(goal) {
      const images = await env.renderGoal(goal)
      return layer.goalImages?.(images) ?? images
    },
  }
}
