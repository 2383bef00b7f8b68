import { join } from 'node:path'
import type { EncoderGraph, GraphInputs, PortSpec } from '../compose/encoder-graph.ts'
import { encoderGraph } from '../compose/encoder-graph.ts'
import { fitOfRun, isEncoderRun, loadEncoderRun } from '../compose/encoder-run.ts'
import { loadRun } from '../compose/load-run.ts'
import type { ActionPort } from '../compose/policy-graph.ts'
import { policyGraph } from '../compose/policy-graph.ts'
import type { Encoder } from '../core/encoder.ts'
import { encodeJson } from '../io/json.ts'
import { openRunFolder } from '../io/run-folder.ts'
import { exportOnnx } from '../tensor/compile/program.ts'
import type { CliContext } from './context.ts'
import { requireNewFile, writeOutput } from './output-files.ts'

/** What `policy.json` says: how to call `policy.onnx` without Armature. */
export interface PolicyDescription {
  readonly format: 1
  readonly preset: string
  readonly env: string
  readonly step: number
  readonly controlHz: number
  readonly inputs: Readonly<Record<string, PortSpec>>
  readonly outputs: { readonly action: ActionPort; readonly nextMoment?: PortSpec }
  readonly normalization: string
}

/** What `encoder.json` says: how to call `encoder.onnx`. */
export interface EncoderDescription {
  readonly format: 1
  readonly encoder: string
  /** Gradient steps. */
  readonly update: number
  readonly inputs: Readonly<Record<string, PortSpec>>
  readonly outputs: { readonly latent: PortSpec }
  /** Of `goal-encoder.onnx`, where goals go through a network of their own. */
  readonly goalInputs?: Readonly<Record<string, PortSpec>>
  readonly normalization: string
}

/** Where the graph went, and what stands beside it. */
export interface Exported {
  readonly onnx: string
  readonly description: PolicyDescription | EncoderDescription
}

export interface ExportOptions {
  readonly out?: string
  readonly overwrite?: boolean
}

const NORMALIZATION = 'inside the graph: inputs are raw'

/**
 * `armature export`: encoder, normaliser and actor in one ONNX graph with its weights inside, so that a robot without Node can
 * run the policy; of an encoder run, the encoder alone. Frames are the camera's own: the graph fits them to the encoder.
 * @throws ArmatureError `bad-argument` for files that are there; `bad-config` for a run whose parts cannot be exported, e.g. an oracle that sees privileged state.
 */
export async function exportRun(
  context: CliContext,
  path: string,
  { out = join(path, 'export'), overwrite }: ExportOptions,
): Promise<Exported> {
  const files = isEncoderRun(await openRunFolder(path)) ? encoderFiles : policyFiles
  const { onnx, models, description } = await files(path, overwrite, out)
  for (const [file, model] of Object.entries(models)) await writeOutput(file, model)
  await writeOutput(jsonBeside(onnx), encodeJson(description, jsonBeside(onnx)))
  for (const [file, { length }] of Object.entries(models)) context.print(`${file}  ${Math.ceil(length / 1024)} KiB`)
  return { onnx, description }
}

/** What is to be written, by file, besides the description of `onnx`. */
interface Export extends Exported {
  readonly models: Readonly<Record<string, Uint8Array>>
}

function jsonBeside(onnx: string): string {
  return onnx.replace(/onnx$/, 'json')
}

async function policyFiles(path: string, overwrite: boolean | undefined, out: string): Promise<Export> {
  const onnx = join(out, 'policy.onnx')
  for (const file of [onnx, jsonBeside(onnx)]) await requireNewFile(file, overwrite)
  const { parts, step } = await loadRun(path)
  const { inputs, output, action, moment } = policyGraph(parts)
  const { env, config } = parts
  const graph = (tensors: GraphInputs) => ({
    action: action(tensors),
    ...(moment && { nextMoment: moment.next(tensors) }),
  })
  const model = exportOnnx(`armature ${config.preset}`, graph, inputs)
  const description = {
    format: 1,
    preset: config.preset,
    env: env.spec.id,
    step,
    controlHz: env.spec.controlHz,
    inputs,
    outputs: { action: output, ...(moment && { nextMoment: moment.port }) },
    normalization: NORMALIZATION,
  } as const
  return { onnx, models: { [onnx]: model }, description }
}

async function encoderFiles(path: string, overwrite: boolean | undefined, out: string): Promise<Export> {
  const [onnx, goalOnnx] = [join(out, 'encoder.onnx'), join(out, 'goal-encoder.onnx')]
  for (const file of [onnx, goalOnnx, jsonBeside(onnx)]) await requireNewFile(file, overwrite)
  const { encoder, record, update } = await loadEncoderRun(path)
  const { name, latentSize } = encoder.spec
  const graph = encoderGraph(encoder, record.camera, fitOfRun(record))
  const goalInputs = goalInputsOf(encoder, graph)
  const model = exportOnnx(`armature ${name}`, (tensors) => ({ latent: graph.latent(tensors) }), graph.inputs)
  const goalModel =
    goalInputs && exportOnnx(`armature ${name} goals`, (tensors) => ({ latent: graph.goalLatent(tensors) }), goalInputs)
  encoder.dispose()
  const latent = { dtype: 'float32', shape: [1, latentSize], meaning: 'latent' } as const
  const description = {
    format: 1,
    encoder: name,
    update,
    inputs: graph.inputs,
    outputs: { latent },
    ...(goalInputs && { goalInputs }),
    normalization: NORMALIZATION,
  } as const
  return { onnx, models: { [onnx]: model, ...(goalModel && { [goalOnnx]: goalModel }) }, description }
}

/** Where goals go through a network of their own; else they are encoded as what is seen. */
function goalInputsOf(encoder: Encoder, { inputs: { start }, goal }: EncoderGraph): EncoderDescription['goalInputs'] {
  return encoder.encodeGoal === undefined ? undefined : { goal, ...(start && { start }) }
}
