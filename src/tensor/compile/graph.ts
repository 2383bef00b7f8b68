import type { NdData } from '../../core/ndarray.ts'
import { sizeOf } from '../../core/ndarray.ts'
import type { Attribute, ValueType } from './onnx-model.ts'

export type Shape = readonly number[]

/** What flows along an edge: a graph input, a constant, or a result of a node. Values never change. */
export interface Value {
  readonly id: number
  readonly type: ValueType
  readonly shape: Shape
  /** The node that computes it; absent for inputs and constants. */
  readonly node?: GraphNode
  readonly constant?: Constant
  /** Where it lies in a variable, if it is a contiguous part of one (or all of it). */
  readonly block?: Block
}

export interface Block {
  /** Which variable, by its place in the trace's list. */
  readonly variable: number
  /** First element. */
  readonly offset: number
}

/** A constant is either one number all over (`splat`), which broadcasts for free, or an array. */
export type Constant = { readonly splat: number } | { readonly data: NdData | BigInt64Array }

export interface GraphNode {
  readonly op: string
  readonly domain: string
  readonly inputs: readonly (Value | undefined)[]
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly outputs: readonly Value[]
}

export interface ValueSpec {
  readonly type: ValueType
  readonly shape: Shape
}

/**
 * A graph under construction. Nodes are pure, so equal nodes are made once (common subexpressions never appear twice), and
 * those that no output needs are never written.
 */
export class Graph {
  /** Width of the blocks of channels in which it may have images, see `blocked.ts`; 0 for ONNX's own operators alone. */
  readonly lanes: number
  #nextId = 0
  readonly #nodes = new Map<string, GraphNode>()
  readonly #constants = new Map<string, Value>()

  constructor(lanes = 0) {
    this.lanes = lanes
  }

  input(type: ValueType, shape: Shape): Value {
    return { id: this.#nextId++, type, shape }
  }

  /** A part of a variable, read in place: programs feed it straight from the variable's memory. */
  block(type: ValueType, shape: Shape, block: Block): Value {
    return this.#shared(`block ${block.variable} ${block.offset} ${shape.join()}`, () => ({
      id: this.#nextId++,
      type,
      shape,
      block,
    }))
  }

  splat(value: number, shape: Shape = [], type: ValueType = 'float32'): Value {
    const rounded = roundedTo(type, value)
    return this.#shared(`${type} ${shape.join()} ${Object.is(rounded, -0) ? '-0' : rounded}`, () => ({
      id: this.#nextId++,
      type,
      shape,
      constant: { splat: rounded },
    }))
  }

  /** A constant array; one that repeats a single number becomes a splat. `data` must not change afterwards. */
  array(data: NdData, shape: Shape, type: ValueType): Value {
    const first = data[0]
    if (first !== undefined && !Number.isNaN(first) && data.every((x) => Object.is(x, first))) {
      return this.splat(first, shape, type)
    }
    return { id: this.#nextId++, type, shape, constant: { data } }
  }

  /** Indices and shapes: an int64 vector. */
  int64s(values: readonly number[]): Value {
    return this.#shared(`int64s ${values.join()}`, () => ({
      id: this.#nextId++,
      type: 'int64',
      shape: [values.length],
      constant: { data: BigInt64Array.from(values, BigInt) },
    }))
  }

  /** A table of indices, the same `Value` for equal contents. */
  int32s(values: Int32Array, shape: Shape): Value {
    return this.#shared(`int32s ${shape.join()} ${values.join()}`, () => ({
      id: this.#nextId++,
      type: 'int32',
      shape,
      constant: { data: values },
    }))
  }

  /** Adds a node, or finds the equal one. `domain` defaults to ONNX's own operators. */
  node(
    op: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly ValueSpec[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): readonly Value[] {
    const key = `${domain} ${op} ${inputs.map((input) => input?.id ?? '').join()} ${JSON.stringify(attributes)}`
    const known = this.#nodes.get(key)
    if (known !== undefined) return known.outputs
    // Nothing has to be computed for tensors without elements.
    if (op !== 'Identity' && outputs.every(({ shape }) => shape.includes(0)))
      return outputs.map(({ type, shape }) => this.splat(0, shape, type))
    const results: Value[] = []
    const node: GraphNode = { op, domain, inputs, attributes, outputs: results }
    for (const { type, shape } of outputs) results.push({ id: this.#nextId++, type, shape, node })
    this.#nodes.set(key, node)
    return results
  }

  /** {@link node} with one output. */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    output: ValueSpec,
    attributes?: Readonly<Record<string, Attribute>>,
    domain?: string,
  ): Value {
    return this.node(op, inputs, [output], attributes, domain)[0]!
  }

  #shared(key: string, make: () => Value): Value {
    let value = this.#constants.get(key)
    if (value === undefined) {
      value = make()
      this.#constants.set(key, value)
    }
    return value
  }
}

/** `value` as an element of that type: int32 wraps around, as in typed arrays. */
function roundedTo(type: ValueType, value: number): number {
  if (type === 'float32') return Math.fround(value)
  return type === 'int32' ? value | 0 : value
}

/** The number that `value` repeats, or undefined. */
export function splatOf(value: Value): number | undefined {
  return value.constant !== undefined && 'splat' in value.constant ? value.constant.splat : undefined
}

/** The inputs of the node that made `value`, if that node applies `op`. */
export function inputsOf(value: Value, op: string): readonly Value[] | undefined {
  return value.node?.op === op ? (value.node.inputs as readonly Value[]) : undefined
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i])
}

/** The shape that numpy's rules give for two operands; TF.js has already checked that they agree. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1
    const right = b[i - rank + b.length] ?? 1
    return left === 1 ? right : left
  })
}

/** Elements of a constant, however it is stored. */
export function constantData(value: Value): NdData | BigInt64Array {
  const constant = value.constant!
  if ('data' in constant) return constant.data
  const size = sizeOf(value.shape)
  if (value.type === 'float32') return new Float32Array(size).fill(constant.splat)
  if (value.type === 'float64') return new Float64Array(size).fill(constant.splat)
  if (value.type === 'int32') return new Int32Array(size).fill(constant.splat)
  if (value.type === 'int64') return new BigInt64Array(size).fill(BigInt(constant.splat))
  return new Uint8Array(size).fill(constant.splat)
}
