import { ArmatureError } from '../../core/errors.ts'
import type { NdArray } from '../../core/ndarray.ts'
import { sizeOf } from '../../core/ndarray.ts'
import { engineInfo } from '../engine.ts'
import { checkInputs } from './check.ts'
import { runEagerly } from './eager.ts'
import type { InputSpec } from './failures.ts'
import { specsOf } from './failures.ts'
import { lower } from './lower.ts'
import type { OnnxInitializer } from './onnx-model.ts'
import { encodeModel } from './onnx-model.ts'
import type { CompiledGraph } from './session.ts'
import type { TensorFunction } from './trace.ts'
import { trace } from './trace.ts'

/** A function of tensors, ready to be run on arrays by whatever engine was started. */
export interface Program<I extends string, O extends string> {
  readonly name: string
  /**
   * Runs once. Inputs must not change until the promise settles; outputs belong to the caller. Programs run one after the other,
   * in the order of the calls.
   *
   * @throws ArmatureError `bad-argument` for a missing input, `bad-shape`, `bad-value` for NaN in an input or in a scalar output;
   * no variable has changed then.
   */
  run(inputs: Record<I, NdArray>): Promise<Record<O, NdArray>>
  /** Frees the compiled graphs once the runs asked for before are done; variables stay. */
  dispose(): void
}

/**
 * Makes a program of a function written in TF.js ops. On the `onnx` engine it is traced and compiled once per combination of input
 * shapes; on the others it runs op by op.
 *
 * `fn` may read and assign variables made before, and differentiate (`tf.variableGrads`, `tf.customGrad`); apart from them it must
 * be pure: random numbers, masks and indices come in as inputs. uint8 inputs appear to it as int32 tensors.
 *
 * `variable.dataSync()` shows the current value between runs, but that array is written to again by later runs: copy what
 * you keep.
 *
 * @example
 * const step = compile('step', ({ x }) => {
 *   const { value, grads } = tf.variableGrads(() => loss(x))
 *   w.assign(tf.sub(w, tf.mul(grads[w.name], 0.1)))
 *   return { loss: value }
 * })
 * const { loss } = await step.run({ x: ndarray(batch, [32, 8]) })
 */
export function compile<I extends string, O extends string>(name: string, fn: TensorFunction<I, O>): Program<I, O> {
  const graphs = new Map<string, CompiledGraph>()
  let disposed = false

  async function compiled(inputs: Record<I, NdArray>): Promise<CompiledGraph> {
    const { threads, device } = engineInfo()
    const specs = specsOf(inputs)
    const signature = JSON.stringify([threads, device, specs])
    let graph = graphs.get(signature)
    if (graph === undefined) {
      // Loaded late, so that the other engines work where onnxruntime-node does not.
      const { createSession } = await import('./session.ts')
      const { convolutionLanes } = await import('./lanes.ts')
      graph = await createSession(name, trace(name, fn as TensorFunction, specs, await convolutionLanes()))
      graphs.set(signature, graph)
    }
    return graph
  }

  return {
    name,
    run: async (inputs) => {
      if (disposed) throw new ArmatureError('closed', `program ${name} was disposed`)
      return oneAtATime(async () => {
        if (engineInfo().name !== 'onnx') return runEagerly(name, fn, inputs)
        checkInputs(name, inputs)
        const graph = await compiled(inputs)
        return (await graph.run(inputs)) as Record<O, NdArray>
      })
    },
    dispose: () => {
      disposed = true
      void oneAtATime(async () => {
        for (const graph of graphs.values()) await graph.release()
        graphs.clear()
      })
    },
  }
}

/**
 * Writes a function as a self-contained ONNX model: variables become constants, inputs and outputs keep their names.
 *
 * @throws ArmatureError as `compile` does while tracing, and `unsupported-op` when `fn` assigns a variable.
 */
export function exportOnnx(name: string, fn: TensorFunction, inputs: Readonly<Record<string, InputSpec>>): Uint8Array {
  const { graph, inputs: traced, outputs, variables, assigned } = trace(name, fn, inputs)
  if (assigned.length > 0) {
    throw new ArmatureError('unsupported-op', `program ${name} cannot be exported`, {
      got: `an assignment to variable ${assigned[0]!.variable.name}`,
    })
  }
  const { onnx, blocks } = lower(graph, name, traced, outputs)
  const weights = blocks.map(({ name: weight, variable, offset, shape }): OnnxInitializer => {
    const data = variables[variable]!.dataSync<'float32' | 'int32'>().slice(offset, offset + sizeOf(shape))
    return { name: weight, type: data instanceof Float32Array ? 'float32' : 'int32', shape, data }
  })
  const fed = onnx.inputs.filter((input) => !weights.some((weight) => weight.name === input.name))
  return encodeModel({ ...onnx, inputs: fed, initializers: [...onnx.initializers, ...weights] })
}

let last: Promise<unknown> = Promise.resolve()

/** Programs share variables, so a run starts only after the one before has ended, well or badly. */
function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  const result = last.then(task)
  last = result.catch(() => undefined)
  return result
}
