import type { Constant, GraphNode, Value } from './graph.ts'
import { splatOf } from './graph.ts'

/** A sum of fewer products stays as it is: two or three are what networks used twice leave, and cost next to nothing. */
const LEAST_PRODUCTS = 8

/**
 * A sum of many products A1 B1 + A2 B2 + ... becomes one product of all A side by side and all B below one another. The gradient
 * of a weight that a recurrent network uses at every step is such a sum: for 200 steps, three nodes instead of 400, and one long
 * product instead of many short ones.
 *
 * @param outputs values that must still be there afterwards
 */
export function mergeProductSums(nodes: readonly GraphNode[], outputs: ReadonlySet<Value>): GraphNode[] {
  const uses = new Map<Value, number>()
  for (const input of nodes.flatMap((node) => node.inputs)) {
    if (input !== undefined) uses.set(input, (uses.get(input) ?? 0) + 1)
  }
  const isInner = (value: Value): boolean => uses.get(value) === 1 && !outputs.has(value)
  const absorbed = new Set<GraphNode>()
  const leavesOf = new Map<GraphNode, readonly GraphNode[]>()
  for (const node of nodes.toReversed()) {
    if (node.op !== 'Add' || absorbed.has(node)) continue
    const products = productsOf(node, isInner)
    if (products === undefined || products.leaves.length < LEAST_PRODUCTS) continue
    for (const inner of [...products.leaves, ...products.sums]) absorbed.add(inner)
    leavesOf.set(node, products.leaves)
  }
  const joined = new Map<string, Value>()
  return nodes.flatMap((node) => {
    const leaves = leavesOf.get(node)
    if (leaves !== undefined) return oneProduct(node, leaves, joined)
    return absorbed.has(node) ? [] : [node]
  })
}

interface Products {
  readonly leaves: readonly GraphNode[]
  /** The additions between them. */
  readonly sums: readonly GraphNode[]
}

/** The products that `root` adds up, if it adds nothing else and all are transposed alike. */
function productsOf(root: GraphNode, isInner: (value: Value) => boolean): Products | undefined {
  const leaves: GraphNode[] = []
  const sums: GraphNode[] = []
  const pending = [...root.inputs] as Value[]
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    const node = value.node
    if (node === undefined || !isInner(value)) return undefined
    if (node.op === 'Add') {
      sums.push(node)
      pending.push(...(node.inputs as readonly Value[]))
    } else if (node.op === 'Gemm' && node.inputs.length === 2 && isLike(node, leaves[0] ?? node)) leaves.push(node)
    else return undefined
  }
  return { leaves, sums }
}

function isLike(node: GraphNode, first: GraphNode): boolean {
  const { transA, transB } = node.attributes
  return transA === first.attributes['transA'] && transB === first.attributes['transB']
}

/**
 * The product in place of `sum`, after the joins that it needs. Joins of the same parts are made once: the gradients of a weight
 * and of its bias share one factor.
 */
function oneProduct(sum: GraphNode, leaves: readonly GraphNode[], joined: Map<string, Value>): GraphNode[] {
  const { transA, transB } = leaves[0]!.attributes
  const nodes: GraphNode[] = []
  const sides = [transA === 1 ? 0 : 1, transB === 1 ? 1 : 0].map((axis, side) => {
    const parts = leaves.map(({ inputs }) => inputs[side]!)
    const key = `${axis} ${parts.map(({ id }) => id).join()}`
    const known = joined.get(key)
    if (known !== undefined) return known
    // Ids of values that nothing else reads; they only need to be unique.
    const value = join(parts, axis, sum.outputs[0]!.id + 0.25 * (side + 1))
    joined.set(key, value)
    if (value.node !== undefined) nodes.push(value.node)
    return value
  })
  return [...nodes, { ...leaves[0]!, inputs: sides, outputs: sum.outputs }]
}

/** `parts` one after another along `axis`; equal numbers all over stay that. */
function join(parts: readonly Value[], axis: number, id: number): Value {
  const { type, shape } = parts[0]!
  const size = parts.reduce((sum, part) => sum + part.shape[axis]!, 0)
  const spec = { id, type, shape: shape.with(axis, size) }
  const number = splatOf(parts[0]!)
  if (number !== undefined && parts.every((part) => splatOf(part) === number)) {
    return { ...spec, constant: { splat: number } satisfies Constant }
  }
  const outputs: Value[] = []
  const node: GraphNode = { op: 'Concat', domain: '', inputs: parts, attributes: { axis }, outputs }
  outputs.push({ ...spec, node })
  return outputs[0]!
}
