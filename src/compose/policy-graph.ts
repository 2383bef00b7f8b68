import type { PixelRepresentationConfig } from '../config/train-config.ts'
import { ActionScale } from '../core/action-scale.ts'
import type { Agent } from '../core/agent.ts'
import type { EncoderSpec } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { BoxSpace } from '../core/spaces.ts'
import { fitTensor } from '../tensor/fit-tensor.ts'
import { tf } from '../tensor/tf.ts'
import type { Parts } from './parts.ts'
import { isExportableEncoder } from './scaled-encoder.ts'

/**
 * An agent that can say its deterministic policy as a pure function, from vectors [B, observationSize], and uint8 frames
 * [B, ...frameShape] where it looks at them, to [B, actionSize].
 */
interface ExportableAgent extends Agent {
  policyFunction(view: { readonly observation?: tf.Tensor; readonly frames?: tf.Tensor }): tf.Tensor
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

type PolicyParts = Pick<Parts, 'config' | 'env' | 'encoder' | 'fit' | 'agent' | 'form'>

/** @throws ArmatureError `bad-config` for parts that cannot be exported, e.g. an oracle that sees privileged state. */
export function policyGraph(parts: PolicyParts): PolicyGraph {
  return {
    inputs: inputsOf(parts),
    output: actionPort(parts),
    action: (inputs) => inBounds(parts, actionOf(parts, inputs)),
  }
}

function inputsOf(parts: PolicyParts): Record<string, PortSpec> {
  const { config, env, encoder } = parts
  if (config.representation.kind === 'state') {
    throw new ArmatureError('bad-config', 'export', {
      got: 'a policy that sees privileged state',
      fix: 'export a run whose representation is an encoder',
    })
  }
  if (config.representation.kind === 'pixels') return pixelPorts(env, config.representation)
  if (encoder === undefined) return { proprio: proprioPort(env) }
  const { window, takesContext } = encoder.spec
  const frameShape = parts.fit?.from ?? encoder.spec.frameShape
  const camera = config.representation.kind === 'encoder' ? config.representation.camera : ''
  const port = (meaning: string): PortSpec => ({ dtype: 'uint8', shape: [1, ...frameShape], meaning })
  return {
    frame: framePort(camera, frameShape, window),
    ...(takesContext && { start: port(`RGB frame of camera ${camera} that the episode began with`) }),
    ...(config.goals && { goal: port('RGB frame of the goal') }),
  }
}

function pixelPorts(env: Env, { camera, stack, proprio }: PixelRepresentationConfig): Record<string, PortSpec> {
  const { shape } = env.spec.imageSpaces[camera]!
  const frame = framePort(camera, shape, { frames: stack, stride: 1 })
  return proprio ? { frame, proprio: proprioPort(env) } : { frame }
}

function proprioPort(env: Env): PortSpec {
  const { shape, names } = env.spec.proprioSpace
  const port: PortSpec = { dtype: 'float32', shape: [1, ...shape], meaning: 'proprioception, raw' }
  return names === undefined ? port : { ...port, names }
}

/** What the camera sees, [1, height, width, channels], or a window of it, [1, frames, height, width, channels]. */
function framePort(camera: string, frameShape: readonly number[], { frames, stride }: EncoderSpec['window']): PortSpec {
  const steps = `frames of camera ${camera}, ${stride} control steps apart, the newest last; the first of the episode stands for those before it`
  const meaning = frames === 1 ? `RGB frame of camera ${camera}, row-major` : `RGB ${steps}`
  return { dtype: 'uint8', shape: [1, ...(frames === 1 ? [] : [frames]), ...frameShape], meaning }
}

function actionPort({ env }: PolicyParts): ActionPort {
  const { shape, names } = env.spec.actionSpace
  const { low, high } = env.spec.actionSpace
  const port = { dtype: 'float32', shape: [1, sizeOf(shape)], meaning: 'action', low, high } as const
  return names === undefined ? port : { ...port, names }
}

function actionOf(
  { config, encoder, fit, agent, form }: PolicyParts,
  inputs: Readonly<Record<string, tf.Tensor>>,
): tf.Tensor {
  if (!isExportableAgent(agent))
    throw new ArmatureError('bad-config', `agent ${agent.spec.name}`, { got: 'nothing to export' })
  const { representation } = config
  if (representation.kind === 'pixels') {
    const vector = representation.proprio && { observation: inputs.proprio! }
    return agent.policyFunction({ frames: stacked(inputs.frame!), ...vector })
  }
  if (encoder === undefined) return agent.policyFunction({ observation: inputs.proprio! })
  if (!isExportableEncoder(encoder)) {
    throw new ArmatureError('bad-config', `encoder ${encoder.spec.name}`, { got: 'nothing to export' })
  }
  const { window, takesContext } = encoder.spec
  const seen = (frames: tf.Tensor): tf.Tensor => (fit === undefined ? frames : fitTensor(frames, fit))
  const context = takesContext ? { context: seen(inputs.start!) } : {}
  const latent = encoder.latentFunction({ frames: seen(inputs.frame!), ...context })
  if (form === undefined) return agent.policyFunction({ observation: latent })
  const goalInputs = { frames: still(seen(inputs.goal!), window.frames), ...context }
  const goalLatent = encoder.goalFunction?.(goalInputs) ?? encoder.latentFunction(goalInputs)
  return agent.policyFunction({ observation: tf.concat([latent, form.graph(latent, goalLatent)], 1) })
}

/** Frames of a window as one, with their channels behind each other: [1, frames, H, W, C] -> [1, H, W, frames * C]; a single frame as it is. */
function stacked(frames: tf.Tensor): tf.Tensor {
  if (frames.shape.length === 4) return frames
  const [rows, count, height, width, channels] = frames.shape as [number, number, number, number, number]
  const behind = tf.transpose(tf.cast(frames, 'float32'), [0, 2, 3, 1, 4])
  return tf.reshape(behind, [rows, height, width, count * channels])
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
