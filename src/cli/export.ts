import { join } from 'node:path'
import type { Agent } from '../core/agent.ts'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import { encodeJson } from '../io/json.ts'
import { exportOnnx } from '../tensor/compile/program.ts'
import { tf } from '../tensor/tf.ts'
import type { Parts } from '../compose/parts.ts'
import type { CliContext } from './context.ts'
import { requireNewFile, writeOutput } from './output-files.ts'
import { loadRun } from '../compose/load-run.ts'
import { isExportableEncoder } from '../compose/scaled-encoder.ts'

/** An agent that can say its deterministic policy as a pure function [B, observationSize] -> [B, actionSize]. */
interface ExportableAgent extends Agent {
  policyFunction(observation: tf.Tensor): tf.Tensor
}

/** An input or output of the graph, row-major. */
interface PortSpec {
  readonly dtype: 'float32' | 'uint8'
  readonly shape: readonly number[]
  readonly names?: readonly string[]
  readonly meaning: string
}

/** What `policy.json` says: how to call `policy.onnx` without Armature. */
export interface PolicyDescription {
  readonly format: 1
  readonly preset: string
  readonly env: string
  readonly step: number
  readonly controlHz: number
  readonly inputs: Readonly<Record<string, PortSpec>>
  readonly outputs: { readonly action: PortSpec & { readonly low: number; readonly high: number } }
  readonly normalization: string
}

/**
 * `armature export`: encoder, normaliser and actor in one ONNX graph with its weights inside, so that a robot without Node can
 * run the policy.
 * @throws ArmatureError `bad-argument` for files that are there; `bad-config` for a run whose parts cannot be exported, e.g. an oracle that sees privileged state.
 */
export async function exportRun(
  context: CliContext,
  path: string,
  { out = join(path, 'export'), overwrite }: { readonly out?: string; readonly overwrite?: boolean },
): Promise<{ readonly onnx: string; readonly description: PolicyDescription }> {
  const [onnx, json] = [join(out, 'policy.onnx'), join(out, 'policy.json')]
  for (const file of [onnx, json]) await requireNewFile(file, overwrite)
  const { parts, step } = await loadRun(path)
  const inputs = inputsOf(parts)
  const model = exportOnnx(
    `armature ${parts.config.preset}`,
    (tensors) => ({ action: actionOf(parts, tensors) }),
    inputs,
  )
  const { env } = parts
  const description: PolicyDescription = {
    format: 1,
    preset: parts.config.preset,
    env: env.spec.id,
    step,
    controlHz: env.spec.controlHz,
    inputs,
    outputs: { action: actionPort(parts) },
    normalization: 'inside the graph: inputs are raw',
  }
  await writeOutput(onnx, model)
  await writeOutput(json, encodeJson(description, 'policy.json'))
  context.print(`${onnx}  ${Math.ceil(model.length / 1024)} KiB`)
  return { onnx, description }
}

function inputsOf({ config, env, encoder }: Parts): Record<string, PortSpec> {
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

function actionPort({ env }: Parts): PolicyDescription['outputs']['action'] {
  const { shape, names } = env.spec.actionSpace
  const port = { dtype: 'float32', shape: [1, sizeOf(shape)], meaning: 'action', low: -1, high: 1 } as const
  return names === undefined ? port : { ...port, names }
}

function actionOf({ config, encoder, agent }: Parts, inputs: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
  if (!isExportableAgent(agent))
    throw new ArmatureError('bad-config', `agent ${agent.spec.name}`, { got: 'nothing to export' })
  if (encoder === undefined) return agent.policyFunction(inputs.proprio!)
  if (!isExportableEncoder(encoder)) {
    throw new ArmatureError('bad-config', `encoder ${encoder.spec.name}`, { got: 'nothing to export' })
  }
  const { window, takesContext } = encoder.spec
  const context = takesContext ? { context: inputs.start! } : {}
  const latent = encoder.latentFunction({ frames: inputs.frame!, ...context })
  if (!config.goals) return agent.policyFunction(latent)
  const goalInputs = { frames: still(inputs.goal!, window.frames), ...context }
  const goalLatent = encoder.goalFunction?.(goalInputs) ?? encoder.latentFunction(goalInputs)
  // As agentInput has it.
  return agent.policyFunction(tf.concat([latent, tf.sub(goalLatent, latent)], 1))
}

/** A window in which nothing moves: [1, H, W, C] -> [1, frames, H, W, C]; a single frame as it is. */
function still(frame: tf.Tensor, frames: number): tf.Tensor {
  return frames === 1 ? frame : tf.tile(tf.expandDims(frame, 1), [1, frames, 1, 1, 1])
}

function isExportableAgent(agent: Agent): agent is ExportableAgent {
  return 'policyFunction' in agent
}
