import type { PixelRepresentationConfig } from '../config/train-config.ts'
import { ActionScale } from '../core/action-scale.ts'
import type { Agent } from '../core/agent.ts'
import type { Encoder } from '../core/encoder.ts'
import type { Env } from '../core/env.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameShape } from '../core/frame-fit.ts'
import { asTheyAre } from '../core/frame-fit.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { BoxSpace } from '../core/spaces.ts'
import type { Demonstration } from '../run/follower.ts'
import { tf } from '../tensor/tf.ts'
import type { Parts } from './parts.ts'
import { lookingEncoder } from './parts.ts'
import type { EncoderGraph, GraphInputs, PortSpec } from './encoder-graph.ts'
import { encoderGraph, framePort } from './encoder-graph.ts'
import { MOMENT_PORT, nextMoment } from './follower-graph.ts'

/**
 * An agent that can say its deterministic policy as a pure function, from vectors [B, observationSize], and uint8 frames
 * [B, ...frameShape] where it looks at them, to [B, actionSize].
 */
interface ExportableAgent extends Agent {
  policyFunction(view: { readonly observation?: tf.Tensor; readonly frames?: tf.Tensor }): tf.Tensor
}

/** The action, in the bounds of the env's action space. */
export type ActionPort = PortSpec & Pick<BoxSpace, 'low' | 'high'>

/** The deterministic policy of a run as a function of tensors: encoder, way to the goal and actor. */
export interface PolicyGraph {
  /** What it is fed, by name: what is seen, and where they matter the start of the episode and the goal. */
  readonly inputs: Readonly<Record<string, PortSpec>>
  readonly output: ActionPort
  /** [1, actionSize]; for use inside a compiled or an exported function. */
  readonly action: (inputs: GraphInputs) => tf.Tensor
  /** Of a policy that follows a demonstration: what is fed as `moment` at the next observation, beside the action. */
  readonly moment?: { readonly port: PortSpec; readonly next: (inputs: GraphInputs) => tf.Tensor }
}

type PolicyParts = Pick<Parts, 'config' | 'env' | 'encoder' | 'fit' | 'agent' | 'form' | 'demonstration'>

/** @throws ArmatureError `bad-config` for parts that cannot be exported, e.g. an oracle that sees privileged state. */
export function policyGraph(parts: PolicyParts): PolicyGraph {
  return {
    inputs: inputsOf(parts),
    output: actionPort(parts),
    action: (inputs) => inBounds(parts, actionOf(parts, inputs)),
    ...(parts.demonstration && {
      moment: { port: MOMENT_PORT, next: (inputs) => followed(parts, parts.demonstration!, inputs).moment },
    }),
  }
}

function inputsOf(parts: PolicyParts): Record<string, PortSpec> {
  const { config, env, encoder } = parts
  const { representation } = config
  if (representation.kind === 'state' || ('sees' in representation && representation.sees === 'state')) {
    throw new ArmatureError('bad-config', 'export', {
      got: 'a policy that sees privileged state',
      fix: 'export a run whose representation is an encoder',
    })
  }
  if (config.representation.kind === 'pixels') return pixelPorts(env, config.representation)
  if (encoder === undefined || representation.kind === 'vectors') return { proprio: proprioPort(env) }
  const { inputs, goal } = graphOf(parts, encoder)
  const seesProprio = representation.kind === 'encoder' && representation.sees === 'proprio'
  return {
    ...inputs,
    ...(config.goals && { goal }),
    ...(seesProprio && { proprio: proprioPort(env) }),
    ...(parts.demonstration && { moment: MOMENT_PORT }),
  }
}

function graphOf({ config: { representation }, fit }: PolicyParts, encoder: Encoder): EncoderGraph {
  const camera = representation.kind === 'encoder' ? representation.camera : ''
  return encoderGraph(lookingEncoder(representation, encoder), camera, fit ?? asTheyAre(encoder.spec.frameShape))
}

function pixelPorts(env: Env, { camera, stack, proprio }: PixelRepresentationConfig): Record<string, PortSpec> {
  const { shape } = env.spec.imageSpaces[camera]!
  const frame = framePort(camera, asTheyAre(shape as unknown as FrameShape), { frames: stack, stride: 1 })
  return proprio ? { frame, proprio: proprioPort(env) } : { frame }
}

function proprioPort(env: Env): PortSpec {
  const { shape, names } = env.spec.proprioSpace
  const port: PortSpec = { dtype: 'float32', shape: [1, ...shape], meaning: 'proprioception, raw' }
  return names === undefined ? port : { ...port, names }
}

function actionPort({ env }: PolicyParts): ActionPort {
  const { shape, names } = env.spec.actionSpace
  const { low, high } = env.spec.actionSpace
  const port = { dtype: 'float32', shape: [1, sizeOf(shape)], meaning: 'action', low, high } as const
  return names === undefined ? port : { ...port, names }
}

function actionOf(parts: PolicyParts, inputs: GraphInputs): tf.Tensor {
  const { config, encoder, agent, form } = parts
  if (!isExportableAgent(agent))
    throw new ArmatureError('bad-config', `agent ${agent.spec.name}`, { got: 'nothing to export' })
  const { representation } = config
  if (representation.kind === 'pixels') {
    const vector = representation.proprio && { observation: inputs.proprio! }
    return agent.policyFunction({ frames: inputs.frame!, ...vector })
  }
  if (encoder === undefined || representation.kind === 'vectors') {
    return agent.policyFunction({ observation: inputs.proprio! })
  }
  if (parts.demonstration !== undefined) {
    return agent.policyFunction({ observation: followed(parts, parts.demonstration, inputs).observation })
  }
  const graph = graphOf(parts, encoder)
  const latent = graph.latent(inputs)
  if (form === undefined) return agent.policyFunction({ observation: latent })
  const standing = form.graph(latent, graph.goalLatent(inputs))
  return agent.policyFunction({ observation: form.hidesFeatures ? standing : tf.concat([latent, standing], 1) })
}

/** What an agent sees that follows a demonstration, and where it stands there. */
function followed(
  parts: PolicyParts,
  demonstration: Demonstration,
  inputs: GraphInputs,
): { readonly observation: tf.Tensor; readonly moment: tf.Tensor } {
  const { representation, imitation } = parts.config
  const latent = graphOf(parts, parts.encoder!).latent(inputs)
  const moment = nextMoment(demonstration, imitation!, latent, inputs.moment!)
  const seesProprio = representation.kind === 'encoder' && representation.sees === 'proprio'
  const seen = seesProprio ? inputs.proprio! : latent
  return { observation: tf.concat([seen, tf.div(moment, demonstration.last)], 1), moment }
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
