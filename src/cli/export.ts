import { join } from 'node:path'
import { encodeJson } from '../io/json.ts'
import { exportOnnx } from '../tensor/compile/program.ts'
import type { CliContext } from './context.ts'
import { requireNewFile, writeOutput } from './output-files.ts'
import { loadRun } from '../compose/load-run.ts'
import type { ActionPort, PortSpec } from '../compose/policy-graph.ts'
import { policyGraph } from '../compose/policy-graph.ts'

/** What `policy.json` says: how to call `policy.onnx` without Armature. */
export interface PolicyDescription {
  readonly format: 1
  readonly preset: string
  readonly env: string
  readonly step: number
  readonly controlHz: number
  readonly inputs: Readonly<Record<string, PortSpec>>
  readonly outputs: { readonly action: ActionPort }
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
  const { inputs, output, action } = policyGraph(parts)
  const model = exportOnnx(`armature ${parts.config.preset}`, (tensors) => ({ action: action(tensors) }), inputs)
  const { env } = parts
  const description: PolicyDescription = {
    format: 1,
    preset: parts.config.preset,
    env: env.spec.id,
    step,
    controlHz: env.spec.controlHz,
    inputs,
    outputs: { action: output },
    normalization: 'inside the graph: inputs are raw',
  }
  await writeOutput(onnx, model)
  await writeOutput(json, encodeJson(description, 'policy.json'))
  context.print(`${onnx}  ${Math.ceil(model.length / 1024)} KiB`)
  return { onnx, description }
}
