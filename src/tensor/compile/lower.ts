import type { Block, Graph, GraphNode, Shape, Value } from './graph.ts'
import { constantData, sameShape } from './graph.ts'
import { rectifyConvolutions } from './blocks.ts'
import { mergeProductSums } from './sums.ts'
import { sharpenSigmoids } from './tails.ts'
import type { Attribute, OnnxGraph, OnnxInitializer, OnnxNode, OnnxValue } from './onnx-model.ts'

export interface Named {
  readonly name: string
  readonly value: Value
}

/** A graph input that is a part of a variable. */
export interface BlockInput extends Block {
  readonly name: string
  readonly shape: Shape
}

export interface Lowered {
  readonly onnx: OnnxGraph
  readonly blocks: readonly BlockInput[]
}

/**
 * Writes what `outputs` need of a graph as ONNX nodes in order, dropping everything else, and fuses bias additions into the
 * matrix products before them and slices of one value into a single Split.
 *
 * @param inputs those that no output depends on are left out
 */
export function lower(graph: Graph, name: string, inputs: readonly Named[], outputs: readonly Named[]): Lowered {
  const results = distinctOutputs(graph, outputs)
  const nodes = reachable(results.map(({ value }) => value))
  const names = new Map<Value, string>()
  for (const input of inputs) names.set(input.value, input.name)
  for (const output of results) names.set(output.value, output.name)
  const nameOf = (value: Value): string => names.get(value) ?? `v${value.id}`

  const ends = new Set(results.map(({ value }) => value))
  const emitted = fuse(mergeProductSums(sharpenSigmoids(graph, nodes, ends), ends), ends)
  const used = new Set(emitted.flatMap((node) => node.inputs.filter((input) => input !== undefined)))
  const blocks = [...used].filter((value) => value.block !== undefined)
  const fed = [
    ...inputs.filter(({ value }) => used.has(value)),
    ...blocks.map((value) => ({ name: nameOf(value), value })),
  ]
  const spec = ({ name: valueName, value }: Named): OnnxValue => ({
    name: valueName,
    type: value.type,
    shape: value.shape,
  })
  return {
    onnx: {
      name,
      nodes: emitted.map((node) => toOnnx(node, nameOf)),
      inputs: fed.map(spec),
      outputs: results.map(spec),
      initializers: [...used]
        .filter((value) => value.constant !== undefined)
        .map((value) => initializer(value, nameOf)),
    },
    blocks: blocks.map((value) => ({ ...value.block!, name: nameOf(value), shape: value.shape })),
  }
}

/** ONNX wants every output to be computed by a node, and under one name only. */
function distinctOutputs(graph: Graph, outputs: readonly Named[]): readonly Named[] {
  const seen = new Set<Value>()
  return outputs.map(({ name, value }, i) => {
    if (value.node !== undefined && !seen.has(value)) {
      seen.add(value)
      return { name, value }
    }
    // The attribute keeps copies apart that the graph would otherwise merge; it is not written.
    return { name, value: graph.op('Identity', [value], value, { copy: i }) }
  })
}

/** The nodes that `values` depend on. Ids rise along every edge, so sorting by id is a topological order. */
function reachable(values: readonly Value[]): GraphNode[] {
  const found = new Set<GraphNode>()
  const pending = [...values]
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (value.node === undefined || found.has(value.node)) continue
    found.add(value.node)
    for (const input of value.node.inputs) if (input !== undefined) pending.push(input)
  }
  return [...found].toSorted((a, b) => a.outputs[0]!.id - b.outputs[0]!.id)
}

function fuse(nodes: readonly GraphNode[], outputs: ReadonlySet<Value>): GraphNode[] {
  return splitSlices(rectifyConvolutions(addBiases(nodes, outputs), outputs))
}

/** Gemm(a, b) + bias becomes Gemm(a, b, bias) where nothing else uses the product. */
function addBiases(nodes: readonly GraphNode[], outputs: ReadonlySet<Value>): GraphNode[] {
  const uses = new Map<Value, number>()
  for (const input of nodes.flatMap((node) => node.inputs)) {
    if (input !== undefined) uses.set(input, (uses.get(input) ?? 0) + 1)
  }
  const fused = new Map<GraphNode, GraphNode | undefined>()
  for (const node of nodes) {
    if (node.op !== 'Add') continue
    const [left, right] = node.inputs as readonly [Value, Value]
    for (const [product, bias] of [
      [left, right],
      [right, left],
    ] as const) {
      const gemm = product.node
      const plain = gemm?.op === 'Gemm' && gemm.inputs.length === 2 && uses.get(product) === 1 && !outputs.has(product)
      if (!plain || fused.has(gemm) || !isBias(bias, product)) continue
      fused.set(gemm, undefined)
      fused.set(node, { ...gemm, inputs: [...gemm.inputs, bias], outputs: node.outputs })
      break
    }
  }
  return nodes.map((node) => (fused.has(node) ? fused.get(node) : node)).filter((node) => node !== undefined)
}

function isBias(bias: Value, product: Value): boolean {
  const columns = product.shape[1]!
  return sameShape(bias.shape, [columns]) || sameShape(bias.shape, [1, columns])
}

interface Piece {
  readonly node: GraphNode
  readonly begin: number
  readonly end: number
}

/** Slices of one value along one axis that do not overlap become the outputs of one Split, which copies each element once. */
function splitSlices(nodes: readonly GraphNode[]): GraphNode[] {
  const groups = new Map<string, GraphNode[]>()
  for (const node of nodes) {
    if (node.op !== 'Slice' || sliceAxis(node) === undefined) continue
    const key = `${node.inputs[0]!.id} ${sliceAxis(node)}`
    groups.set(key, [...(groups.get(key) ?? []), node])
  }
  const replaced = new Map<GraphNode, GraphNode | undefined>()
  for (const group of groups.values()) {
    const split = group.length < 2 ? undefined : splitOf(group.map(pieceOf), sliceAxis(group[0]!)!)
    if (split === undefined) continue
    for (const node of group) replaced.set(node, undefined)
    replaced.set(group[0]!, split)
  }
  return nodes.map((node) => (replaced.has(node) ? replaced.get(node) : node)).filter((node) => node !== undefined)
}

/** The axis that a Slice with step 1 cuts, if it cuts only one. */
function sliceAxis(node: GraphNode): number | undefined {
  const [, , , axes, steps] = node.inputs as readonly Value[]
  const [axis, ...others] = constantData(axes!)
  return others.length === 0 && Number(constantData(steps!)[0]) === 1 ? Number(axis) : undefined
}

function pieceOf(node: GraphNode): Piece {
  const [, begin, end] = node.inputs as readonly Value[]
  return { node, begin: Number(constantData(begin!)[0]), end: Number(constantData(end!)[0]) }
}

function splitOf(pieces: readonly Piece[], axis: number): GraphNode | undefined {
  const sorted = pieces.toSorted((a, b) => a.begin - b.begin)
  const source = sorted[0]!.node.inputs[0]!
  const sizes: number[] = []
  const outputs: Value[] = []
  let position = 0
  let id = sorted[0]!.node.outputs[0]!.id
  const leave = (size: number): void => {
    sizes.push(size)
    id += 1e-3 // ids of values that nothing reads; they only need to be unique
    outputs.push({ id, type: source.type, shape: source.shape.with(axis, size) })
  }
  for (const { node, begin, end } of sorted) {
    if (begin < position) return undefined
    if (begin > position) leave(begin - position)
    sizes.push(end - begin)
    outputs.push(node.outputs[0]!)
    position = end
  }
  if (position < source.shape[axis]!) leave(source.shape[axis]! - position)
  const sizeInput: Value = {
    id: id + 1e-4,
    type: 'int64',
    shape: [sizes.length],
    constant: { data: BigInt64Array.from(sizes, BigInt) },
  }
  return { op: 'Split', domain: '', inputs: [source, sizeInput], attributes: { axis }, outputs }
}

function toOnnx(node: GraphNode, nameOf: (value: Value) => string): OnnxNode {
  const attributes: Record<string, Attribute> = { ...node.attributes }
  if (node.op === 'Identity') delete attributes['copy']
  return {
    op: node.op,
    domain: node.domain,
    inputs: node.inputs.map((input) => (input === undefined ? '' : nameOf(input))),
    outputs: node.outputs.map(nameOf),
    attributes,
  }
}

function initializer(value: Value, nameOf: (value: Value) => string): OnnxInitializer {
  return { name: nameOf(value), type: value.type, shape: value.shape, data: constantData(value) }
}
