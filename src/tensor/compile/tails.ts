import { binary, unary } from './elementwise.ts'
import type { Graph, GraphNode, Value } from './graph.ts'
import { broadcastShape, inputsOf, splatOf } from './graph.ts'
import { expand, reshape } from './movement.ts'

/**
 * log x, finite where x is a probability that float32 rounds to 0 (or 1 minus one that it rounds to 1): log sigmoid(x) =
 * -softplus(-x), log(1 - sigmoid(x)) = -softplus(x), and the log of a softmax.
 */
export function log(g: Graph, x: Value): Value {
  const flat = inputsOf(x, 'Reshape')?.[0]
  if (flat !== undefined) return reshape(g, log(g, flat), x.shape)
  return logOfProbability(g, x) ?? unary(g, 'Log', x)
}

function logOfProbability(g: Graph, x: Value): Value | undefined {
  const softplus = (y: Value): Value => unary(g, 'Neg', unary(g, 'Softplus', y))
  const logit = inputsOf(x, 'Sigmoid')?.[0]
  if (logit !== undefined) return softplus(unary(g, 'Neg', logit))
  const complement = complementedSigmoid(x)
  if (complement !== undefined) return softplus(inputsOf(complement, 'Sigmoid')![0]!)
  const logits = inputsOf(x, 'Softmax')?.[0]
  if (logits === undefined) return undefined
  return g.op('LogSoftmax', [logits], { type: x.type, shape: x.shape }, x.node!.attributes)
}

/** a b; where a is a gradient divided by a probability that may be 0, and b a multiple of that probability, both drop out. */
export function multiply(g: Graph, a: Value, b: Value): Value {
  const short = withoutFactor(g, a, b) ?? withoutFactor(g, b, a)
  return short === undefined ? binary(g, 'Mul', a, b) : expand(g, short, broadcastShape(a.shape, b.shape))
}

/**
 * (d / p) p r = d r, for a probability p (or an exponential) that may be rounded to 0: the chain rule makes such products of
 * log p and the slope of p, which is p r. Undefined where `a` is not d / p or `b` has no factor p.
 */
function withoutFactor(g: Graph, a: Value, b: Value): Value | undefined {
  const negated = inputsOf(a, 'Neg')?.[0]
  const [dividend, p] = inputsOf(negated ?? a, 'Div') ?? []
  if (dividend === undefined || p === undefined || !mayVanish(p)) return undefined
  const rest = restOf(g, b, p)
  if (rest === undefined) return undefined
  const product = binary(g, 'Mul', dividend, rest)
  return negated === undefined ? product : unary(g, 'Neg', product)
}

const VANISHING: ReadonlySet<string | undefined> = new Set(['Sigmoid', 'Softmax', 'Exp'])

function mayVanish(p: Value): boolean {
  return VANISHING.has(p.node?.op) || complementedSigmoid(p) !== undefined
}

/** `b` without its factor `p`. */
function restOf(g: Graph, b: Value, p: Value): Value | undefined {
  if (b === p) return g.splat(1)
  const [left, right] = inputsOf(b, 'Mul') ?? []
  if (left === p) return right
  return right === p ? left : undefined
}

/** The sigmoid s in 1 - s. */
function complementedSigmoid(x: Value): Value | undefined {
  const [one, sigmoid] = inputsOf(x, 'Sub') ?? []
  return one !== undefined && splatOf(one) === 1 && sigmoid?.node?.op === 'Sigmoid' ? sigmoid : undefined
}

/** What carries on a value element by element: relative errors pass through. */
const PASSES_ON: ReadonlySet<string> = new Set(
  'Mul Neg Abs Reshape Transpose Expand Slice Split Gather Concat Pad Tile Where Max Min Clip Relu'.split(' '),
)
/** What adds up: errors relative to 1 suffice. */
const ADDS_UP: ReadonlySet<string> = new Set(['Gemm', 'MatMul', 'FusedMatMul', 'ReduceSum', 'ReduceMean'])
/** Smaller numbers are added to keep a logarithm finite and leave small values as they are. */
const LARGEST_EPSILON = 1e-3

/**
 * ONNX Runtime's Sigmoid is accurate relative to 1: it is 17% off at -15 and 0 below -18. Wherever its result may be looked at
 * by itself (divided by, taken the logarithm of, returned), this writes 1 / (1 + exp(-x)) instead, which takes a third longer;
 * where it only enters a sum of larger numbers, as in gates of recurrent networks, it stays.
 */
export function sharpenSigmoids(g: Graph, nodes: readonly GraphNode[], outputs: ReadonlySet<Value>): GraphNode[] {
  const sharp = new Set<Value>() // values whose relative error matters
  for (const node of nodes.toReversed()) {
    if (node.outputs.some((output) => outputs.has(output))) for (const output of node.outputs) sharp.add(output)
    if (ADDS_UP.has(node.op)) continue
    const matters = PASSES_ON.has(node.op) ? node.outputs.some((output) => sharp.has(output)) : !isAddition(node, sharp)
    if (matters) for (const input of node.inputs) if (input !== undefined) sharp.add(input)
  }
  return nodes.flatMap((node) =>
    node.op === 'Sigmoid' && sharp.has(node.outputs[0]!) ? exactSigmoid(g, node) : [node],
  )
}

/** Whether the node adds, and not merely an epsilon to something small. */
function isAddition(node: GraphNode, sharp: ReadonlySet<Value>): boolean {
  if (node.op !== 'Add' && node.op !== 'Sub') return false
  const addsEpsilon = node.inputs.some((input) => Math.abs(splatOf(input!) ?? 1) <= LARGEST_EPSILON)
  return !(addsEpsilon && sharp.has(node.outputs[0]!))
}

/** The nodes of 1 / (1 + exp(-x)) in place of `node`. */
function exactSigmoid(g: Graph, node: GraphNode): GraphNode[] {
  const { id, type, shape } = node.outputs[0]!
  // Ids of values that nothing else reads; they only need to be unique.
  const [minus, power, sum] = [0.25, 0.5, 0.75].map((part) => ({ id: id + part, type, shape })) as [Value, Value, Value]
  const step = (op: string, inputs: readonly Value[], output: Value): GraphNode => ({
    ...node,
    op,
    inputs,
    outputs: [output],
  })
  return [
    step('Neg', node.inputs as readonly Value[], minus),
    step('Exp', [minus], power),
    step('Add', [power, g.splat(1)], sum),
    { ...node, op: 'Reciprocal', inputs: [sum] },
  ]
}
