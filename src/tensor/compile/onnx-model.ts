import type { NdData } from '../../core/ndarray.ts'

/** Element types of values inside a graph. */
export type ValueType = 'float32' | 'float64' | 'uint8' | 'int32' | 'int64' | 'bool'

/** `TensorProto.DataType` of the ONNX format; the attribute of Cast too. */
export const DATA_TYPE: Readonly<Record<ValueType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
}

/** A whole number becomes an `int` attribute; for a float wrap it as `{ float: x }`. */
export type Attribute = number | string | readonly number[] | { readonly float: number }

export interface OnnxValue {
  readonly name: string
  readonly type: ValueType
  readonly shape: readonly number[]
  /** A sequence of such tensors instead of one. */
  readonly sequence?: boolean
}

export interface OnnxInitializer {
  readonly name: string
  readonly type: ValueType
  readonly shape: readonly number[]
  /** Little-endian elements; one byte each for bool. */
  readonly data: NdData | BigInt64Array
}

export interface OnnxNode {
  readonly op: string
  /** Empty for ONNX's own operators. */
  readonly domain: string
  /** Names; an empty one stands for an optional input that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

export interface OnnxGraph {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly initializers: readonly OnnxInitializer[]
}

/** The operator set that graphs are written in: readable by ONNX Runtime from 1.14 on. */
export const OPSET = 18
const IR_VERSION = 8

/** Serialises `graph` as an ONNX model (protobuf wire format of `onnx.proto`). */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const domains = new Set(graph.nodes.map((node) => node.domain)).add('')
  return message((model) => {
    model.int(1, IR_VERSION)
    model.text(2, 'armature')
    model.bytes(7, encodeGraph(graph))
    for (const domain of domains) {
      model.bytes(
        8,
        message((opset) => {
          opset.text(1, domain)
          opset.int(2, domain === '' ? OPSET : 1)
        }),
      )
    }
  })
}

function encodeGraph(graph: OnnxGraph): Uint8Array {
  return message((out) => {
    for (const node of graph.nodes) out.bytes(1, encodeNode(node))
    out.text(2, graph.name)
    for (const initializer of graph.initializers) out.bytes(5, encodeTensor(initializer))
    for (const input of graph.inputs) out.bytes(11, encodeValue(input))
    for (const output of graph.outputs) out.bytes(12, encodeValue(output))
  })
}

function encodeNode(node: OnnxNode): Uint8Array {
  return message((out) => {
    for (const input of node.inputs) out.text(1, input)
    for (const output of node.outputs) out.text(2, output)
    out.text(3, node.outputs[0] ?? '')
    out.text(4, node.op)
    for (const [name, value] of Object.entries(node.attributes)) out.bytes(5, encodeAttribute(name, value))
    if (node.domain !== '') out.text(7, node.domain)
  })
}

/** `AttributeProto`; the last field is its type tag (1 float, 2 int, 3 string, 7 ints). */
function encodeAttribute(name: string, value: Attribute): Uint8Array {
  return message((out) => {
    out.text(1, name)
    if (typeof value === 'number') {
      out.int(3, value)
      out.int(20, 2)
    } else if (typeof value === 'string') {
      out.text(4, value)
      out.int(20, 3)
    } else if ('float' in value) {
      out.float(2, value.float)
      out.int(20, 1)
    } else {
      for (const element of value) out.int(8, element)
      out.int(20, 7)
    }
  })
}

function encodeTensor({ name, type, shape, data }: OnnxInitializer): Uint8Array {
  return message((out) => {
    for (const size of shape) out.int(1, size)
    out.int(2, DATA_TYPE[type])
    out.text(8, name)
    out.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  })
}

/** `ValueInfoProto`. */
function encodeValue({ name, type, shape, sequence }: OnnxValue): Uint8Array {
  const dimensions = shape.map((size) => message((dimension) => dimension.int(1, size)))
  const tensor = message((out) => {
    out.int(1, DATA_TYPE[type])
    out.bytes(
      2,
      message((shapeOut) => dimensions.forEach((dimension) => shapeOut.bytes(1, dimension))),
    )
  })
  const tensorType = message((out) => out.bytes(1, tensor))
  const sequenceType = message((out) =>
    out.bytes(
      4,
      message((element) => element.bytes(1, tensorType)),
    ),
  )
  return message((out) => {
    out.text(1, name)
    out.bytes(2, sequence === true ? sequenceType : tensorType)
  })
}

function message(write: (out: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter()
  write(writer)
  return writer.finish()
}

const WIRE_VARINT = 0
const WIRE_BYTES = 2
const WIRE_FIXED32 = 5

/** The four wire forms of protobuf that ONNX models need. */
class ProtoWriter {
  #buffer = new Uint8Array(64)
  #length = 0

  int(field: number, value: number): void {
    this.#tag(field, WIRE_VARINT)
    this.#varint(BigInt.asUintN(64, BigInt(value)))
  }

  float(field: number, value: number): void {
    this.#tag(field, WIRE_FIXED32)
    this.#append(new Uint8Array(Float32Array.of(value).buffer))
  }

  text(field: number, value: string): void {
    this.bytes(field, new TextEncoder().encode(value))
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, WIRE_BYTES)
    this.#varint(BigInt(value.length))
    this.#append(value)
  }

  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length)
  }

  #tag(field: number, wire: number): void {
    this.#varint(BigInt((field << 3) | wire))
  }

  #varint(value: bigint): void {
    let rest = value
    while (rest > 127n) {
      this.#append(Uint8Array.of(Number(rest & 127n) | 128))
      rest >>= 7n
    }
    this.#append(Uint8Array.of(Number(rest)))
  }

  #append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(2 * this.#buffer.length, this.#length + bytes.length))
      grown.set(this.#buffer)
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }
}
