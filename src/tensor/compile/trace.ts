import { ArmatureError } from '../../core/errors.ts'
import type { NdData } from '../../core/ndarray.ts'
import { tf } from '../tf.ts'
import type { Value } from './graph.ts'
import { Graph } from './graph.ts'
import { cast } from './elementwise.ts'
import type { Named } from './lower.ts'
import { reshape } from './movement.ts'
import { LOWERINGS } from './ops/index.ts'
import type { Lowering, Operands } from './ops/lowering.ts'
import { valueType } from './ops/shapes.ts'
import type { InputSpec } from './failures.ts'
import { checkedInputs, explain, forgetTape } from './failures.ts'

/** A function of tensors by name, as programs are made of. */
export type TensorFunction<I extends string = string, O extends string = string> = (
  inputs: Record<I, tf.Tensor>,
) => Record<O, tf.Tensor>

export interface Assignment {
  readonly variable: tf.Variable
  readonly value: Value
}

/** What a function does, as a graph from inputs and variables to outputs and new values of variables. */
export interface Trace {
  readonly graph: Graph
  readonly inputs: readonly Named[]
  readonly outputs: readonly Named[]
  /** Every variable that exists; blocks of the graph count along this list. */
  readonly variables: readonly tf.Variable[]
  readonly assigned: readonly Assignment[]
}

const BACKEND = 'armature-trace'

/**
 * Runs `fn` once on a TF.js backend that records instead of computing: every kernel appends nodes to a graph, those of the
 * backward pass included. Variables are untouched afterwards.
 *
 * @param lanes of the graph, see `Graph`; 0 where any ONNX runtime is to run it
 * @throws ArmatureError `unsupported-op` where `fn` reads a value, draws random numbers, makes a variable, or uses an op without a
 * lowering; `bad-argument` for an input that is missing; `bad-shape` where TF.js rejects the shapes.
 */
export function trace(
  program: string,
  fn: TensorFunction,
  inputs: Readonly<Record<string, InputSpec>>,
  lanes = 0,
): Trace {
  registerBackend()
  const variables = Object.values(tf.engine().state.registeredVariables)
  const kept = variables.map((variable) => tf.clone<tf.Tensor>(variable))
  const previous = tf.getBackend()
  const tracer = new Tracer(program, lanes)
  tracing = tracer
  switchBackend(BACKEND)
  try {
    // Not as the result of tidy, which would look for tensors in every node of the graph.
    let result: Trace | undefined
    tf.tidy(() => {
      result = record(tracer, fn, inputs, variables)
    })
    return result!
  } catch (error) {
    forgetTape()
    throw explain(program, inputs, error)
  } finally {
    tracing = undefined
    switchBackend(previous)
    for (const [i, variable] of variables.entries()) variable.assign(kept[i]!)
    tf.dispose(kept)
  }
}

function record(
  tracer: Tracer,
  fn: TensorFunction,
  specs: Readonly<Record<string, InputSpec>>,
  variables: readonly tf.Variable[],
): Trace {
  const { graph } = tracer
  const inputs = Object.entries(specs).map(([name, { dtype, shape }]) => ({ name, value: graph.input(dtype, shape) }))
  const bound = variables.map((variable, i) => ({
    variable,
    value: graph.block(valueType(variable.dtype), variable.shape, { variable: i, offset: 0 }),
  }))
  // With a traced value in the variable, reading it on the side is caught like any other read.
  for (const { variable, value } of bound) variable.assign(tracer.tensor(value, `variable ${variable.name}`))
  const before = new Map(bound.map(({ variable }) => [variable, variable.dataId]))

  const tensors = inputs.map(({ name, value }) => {
    const widened = value.type === 'uint8' ? cast(graph, value, 'int32') : value
    return [name, tracer.tensor(widened, `input ${name}`)] as const
  })
  const results = fn(checkedInputs(tracer.program, Object.fromEntries(tensors)))
  refuseNewVariables(tracer.program, variables)
  return {
    graph,
    inputs,
    outputs: Object.entries(results).map(([name, tensor]) => ({ name, value: tracer.valueOf(tensor) })),
    variables,
    assigned: bound
      .filter(({ variable }) => variable.dataId !== before.get(variable))
      .map((old) => ({ ...old, assigned: tracer.valueOf(old.variable) }))
      .filter(({ value, assigned }) => assigned !== value)
      .map(({ variable, assigned }) => ({ variable, value: assigned })),
  }
}

function refuseNewVariables(program: string, known: readonly tf.Variable[]): void {
  const created = Object.values(tf.engine().state.registeredVariables).filter((variable) => !known.includes(variable))
  if (created.length === 0) return
  const names = created.map((variable) => variable.name).join(', ')
  for (const variable of created) variable.dispose()
  throw new ArmatureError('unsupported-op', `program ${program} makes variables while it runs`, {
    got: names,
    fix: 'make them before the program',
  })
}

let tracing: Tracer | undefined

function activeTracer(): Tracer {
  if (tracing === undefined) throw new Error('a traced tensor was used after its trace had ended')
  return tracing
}

interface Traced {
  readonly value: Value
  /** What made it, for messages. */
  readonly origin: string
  references: number
}

/** The state of one trace: which TF.js data id stands for which value of the graph. */
class Tracer {
  readonly graph: Graph
  readonly program: string
  readonly #values = new Map<object, Traced>()
  readonly #captured = new Map<object, Value>()

  constructor(program: string, lanes: number) {
    this.graph = new Graph(lanes)
    this.program = program
  }

  get size(): number {
    return this.#values.size
  }

  info(value: Value, origin: string): tf.TensorInfo {
    const dataId = {}
    this.#values.set(dataId, { value, origin, references: 1 })
    return { dataId, shape: [...value.shape], dtype: dtypeOfValue(value) }
  }

  tensor(value: Value, origin: string): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(value, origin))
  }

  entry(dataId: object): Traced | undefined {
    return this.#values.get(dataId)
  }

  delete(dataId: object): void {
    this.#values.delete(dataId)
  }

  /** The value of a traced tensor; a tensor from outside becomes a constant. */
  valueOf(tensor: tf.TensorInfo): Value {
    const value = this.#values.get(tensor.dataId)?.value ?? this.#capture(tensor)
    // TF.js tensors of different shapes may share their data.
    return reshape(this.graph, value, tensor.shape)
  }

  #capture({ dataId, shape, dtype }: tf.TensorInfo): Value {
    let value = this.#captured.get(dataId)
    if (value === undefined) {
      const data = tf.engine().readSync(dataId) as NdData
      value = this.graph.array(data.slice(), shape, valueType(dtype))
      this.#captured.set(dataId, value)
    }
    return value
  }
}

function dtypeOfValue(value: Value): tf.DataType {
  const { type } = value
  if (type === 'float32' || type === 'int32' || type === 'bool') return type
  throw new Error(`a traced tensor of type ${type}`)
}

/** Ops of TF.js that draw from its own, unseeded generator: their numbers would be frozen into the graph. */
const RANDOM_SCOPE = /^(random|truncatedNormal|dropout|multinomial)/

class TraceBackend extends tf.KernelBackend {
  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    const tracer = activeTracer()
    const scope = scopeName()
    if (RANDOM_SCOPE.test(scope)) {
      throw new ArmatureError(
        'unsupported-op',
        `program ${tracer.program}: ${scope} draws random numbers while tracing`,
        {
          fix: 'draw them from an Rng and pass them in as an input',
        },
      )
    }
    const data = dtype === 'float32' ? Float32Array.from(values as NdData) : Int32Array.from(values as NdData)
    const typed = dtype === 'bool' ? Uint8Array.from(data) : data
    return tracer.info(tracer.graph.array(typed, shape, valueType(dtype)), 'constant').dataId
  }

  override readSync(dataId: object): never {
    const { program } = activeTracer()
    const origin = activeTracer().entry(dataId)?.origin ?? 'a tensor'
    const scope = scopeName()
    const where = scope.endsWith('__op') ? ` in ${scope.slice(0, -'__op'.length)}` : ''
    throw new ArmatureError(
      'unsupported-op',
      `program ${program}: the value of ${origin} was read while tracing${where}`,
      {
        fix: 'a compiled function has no values yet; keep it in tensors, or pass it in as an input',
      },
    )
  }

  override read(dataId: object): Promise<never> {
    return this.readSync(dataId)
  }

  override disposeData(dataId: object): boolean {
    const entry = tracing?.entry(dataId)
    if (entry !== undefined && --entry.references > 0) return false
    tracing?.delete(dataId)
    return true
  }

  override incRef(dataId: object): void {
    const entry = tracing?.entry(dataId)
    if (entry !== undefined) entry.references++
  }

  override refCount(dataId: object): number {
    return tracing?.entry(dataId)?.references ?? 0
  }

  override numDataIds(): number {
    return tracing?.size ?? 0
  }

  override floatPrecision(): 32 {
    return 32
  }

  override epsilon(): number {
    return 1e-7
  }

  override dispose(): void {}
}

/** The TF.js op in whose call we are, as `name__op`, or the name of a tidy. */
function scopeName(): string {
  return tf.engine().state.activeScope?.name ?? ''
}

function registerBackend(): void {
  if (tf.findBackendFactory(BACKEND) !== null) return
  tf.registerBackend(BACKEND, () => new TraceBackend(), 0)
  for (const [kernelName, lowering] of Object.entries(LOWERINGS)) {
    tf.registerKernel({ kernelName, backendName: BACKEND, kernelFunc: kernel(kernelName, lowering) })
  }
}

function kernel(kernelName: string, lowering: Lowering): tf.KernelFunc {
  return ({ inputs, attrs }) => {
    const tracer = activeTracer()
    const operands: Record<string, Value> = {}
    for (const [name, info] of Object.entries(inputs as Readonly<Record<string, tf.TensorInfo | null | undefined>>)) {
      if (info !== null && info !== undefined) operands[name] = tracer.valueOf(info)
    }
    const result = lowering(tracer.graph, operands satisfies Operands, (attrs ?? {}) as never)
    const values = Array.isArray(result) ? (result as readonly Value[]) : undefined
    const origin = `the result of ${kernelName}`
    if (values !== undefined) return values.map((value) => tracer.info(value, origin))
    return tracer.info(result as Value, origin)
  }
}

/** `setBackend` returns a promise, but for a backend that starts synchronously it has done its work by then. */
function switchBackend(name: string): void {
  void tf.setBackend(name)
}
