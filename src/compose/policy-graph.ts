import { ActionScale } from '../core/action-scale.ts'
import type { Agent } from '../core/agent.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { BoxSpace } from '../core/spaces.ts'
import { tf } from '../tensor/tf.ts'
import type { Parts } from './parts.ts'
import { isExportableEncoder } from './scaled-encoder.ts'

/** An agent that can say its deterministic policy as a pure function [B, observationSize] -> [B, actionSize]. */
interface ExportableAgent extends Agent {
  policyFunction(observation: tf.Tensor): tf.Tensor
}

/** An input or output of the graph, row-major. */
export interface PortSpec {
  readonly dtype: 'float32' | 'uint8'
  readonly shape: readonly number[]
  readonly names?: readonly string[]
  readonly meaning: string
}

/** The action, in the bounds of the env's action space. */
export type ActionPort = PortSpec & Pick<BoxSpace, 'low' | 'high'>

/** The deterministic policy of a run as a function of tensors: encoder, way to the goal and actor. */
export interface PolicyGraph {
  /** What it is fed, by name: what is seen, and where they matter the start of the episode and the goal. */
  readonly inputs: Readonly<Record<string, PortSpec>>
  readonly output: ActionPort
  /** [1, actionSize]; for use inside a compiled or an exported function. */
  readonly action: (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor
}

type PolicyParts = Pick<Parts, 'config' | 'env' | 'encoder' | 'agent' | 'form'>

/** @throws ArmatureError `bad-config` for parts that cannot be exported, e.g. an oracle that sees privileged state. */
export function policyGraph(parts: PolicyParts): PolicyGraph {
  return {
    inputs: inputsOf(parts),
    output: actionPort(parts),
    action: (inputs) => inBounds(parts, actionOf(parts, inputs)),
  }
}

function inputsOf({ config, env, encoder }: PolicyParts): Record<string, PortSpec> {
  if (config.representation.kind === 'state') {
    throw new ArmatureError('bad-config', 'export', {
      got: 'a policy that sees privileged state',
      fix: 'export a run whose representation is an encoder',
    })
  }
  if (encoder === undefined) {
    const { shape, names } = env.spec.proprioSpace
    const port: PortSpec = { dtype: 'float32', shape: [1, ...shape], meaning: 'proprioception, raw' }
    return { proprio: names === undefined ? port : { ...port, names } }
  }
  const { frameShape, window, takesContext } = encoder.spec
  const camera = config.representation.kind === 'encoder' ? config.representation.camera : ''
  const port = (meaning: string, ...rows: number[]): PortSpec => ({
    dtype: 'uint8',
    shape: [1, ...rows, ...frameShape],
    meaning,
  })
  const seen = `RGB frame of camera ${camera}, row-major`
  const steps = `frames of camera ${camera}, ${window.stride} control steps apart, the newest last; the first of the episode stands for those before it`
  return {
    frame: window.frames === 1 ? port(seen) : port(`RGB ${steps}`, window.frames),
    ...(takesContext && { start: port(`RGB frame of camera ${camera} that the episode began with`) }),
    ...(config.goals && { goal: port('RGB frame of the goal') }),
  }
}

function actionPort({ env }: PolicyParts): ActionPort {
  const { shape, names } = env.spec.actionSpace
  const { low, high } = env.spec.actionSpace
  const port = { dtype: 'float32', shape: [1, sizeOf(shape)], meaning: 'action', low, high } as const
  return names === undefined ? port : { ...port, names }
}

function actionOf({ encoder, agent, form }: PolicyParts, inputs: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
  if (!isExportableAgent(agent))
    throw new ArmatureError('bad-config', `agent ${agent.spec.name}`, { got: 'nothing to export' })
  if (encoder === undefined) return agent.policyFunction(inputs.proprio!)
  if (!isExportableEncoder(encoder)) {
    throw new ArmatureError('bad-config', `encoder ${encoder.spec.name}`, { got: 'nothing to export' })
  }
  const { window, takesContext } = encoder.spec
  const context = takesContext ? { context: inputs.start! } : {}
  const latent = encoder.latentFunction({ frames: inputs.frame!, ...context })
  if (form === undefined) return agent.policyFunction(latent)
  const goalInputs = { frames: still(inputs.goal!, window.frames), ...context }
  const goalLatent = encoder.goalFunction?.(goalInputs) ?? encoder.latentFunction(goalInputs)
  return agent.policyFunction(tf.concat([latent, form.graph(latent, goalLatent)], 1))
}

/** A window in which nothing moves: [1, H, W, C] -> [1, frames, H, W, C]; a single frame as it is. */
function still(frame: tf.Tensor, frames: number): tf.Tensor {
  return frames === 1 ? frame : tf.tile(tf.expandDims(frame, 1), [1, frames, 1, 1, 1])
}

/** An agent's action, [1, A] in [-1, 1], in the bounds of the env. */
function inBounds({ env }: PolicyParts, action: tf.Tensor): tf.Tensor {
  const scale = new ActionScale(env.spec.actionSpace, env.spec.id)
  if (scale.isIdentity) return action
  const { low, high } = scale.bounds
  const half = high.map((x, i) => (x - low[i]!) / 2)
  const centre = high.map((x, i) => (x + low[i]!) / 2)
  const scaled = tf.add(tf.mul(action, tf.tensor1d(half)), tf.tensor1d(centre))
  return tf.minimum(tf.maximum(scaled, tf.tensor1d(low)), tf.tensor1d(high))
}

function isExportableAgent(agent: Agent): agent is ExportableAgent {
  return 'policyFunction' in agent
}
