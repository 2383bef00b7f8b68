import type { Graph, GraphNode, Value } from './graph.ts'
import { inputsOf, sameShape } from './graph.ts'
import { reshape, transpose } from './movement.ts'

/** Operators of ONNX Runtime's CPU provider on images whose channels lie in blocks: see `blocked.ts`. */
export const BLOCKED_DOMAIN = 'com.microsoft.nchwc'

/** From [B, H, W, C / lanes, lanes] to blocks, and back. */
const TO_BLOCKS = [0, 3, 1, 2, 4] as const
export const FROM_BLOCKS = [0, 2, 3, 1, 4] as const

/** Images [B, H, W, C] in blocks: [B, C / lanes, H, W, lanes]. */
export function toBlocks(g: Graph, x: Value): Value {
  const [batch, height, width, channels] = x.shape as Shape4
  return transpose(g, reshape(g, x, [batch, height, width, channels / g.lanes, g.lanes]), TO_BLOCKS)
}

/** The images [B, H, W, C] of blocks. */
export function fromBlocks(g: Graph, blocks: Value): Value {
  const [batch, count, height, width, lanes] = blocks.shape as readonly [number, number, number, number, number]
  return reshape(g, transpose(g, blocks, FROM_BLOCKS), [batch, height, width, count * lanes])
}

type Shape4 = readonly [number, number, number, number]

/** A result of the operator, which it calls [B, C, H, W], as the blocks that it is: [B, C / lanes, H, W, lanes]. */
export function asBlocks(g: Graph, x: Value): Value {
  const [batch, channels, height, width] = x.shape as Shape4
  return reshape(g, x, [batch, channels / g.lanes, height, width, g.lanes])
}

/** The way back from {@link asBlocks}. */
export function asImages(g: Graph, blocks: Value): Value {
  const [batch, count, height, width, lanes] = blocks.shape as readonly [number, number, number, number, number]
  return reshape(g, blocks, [batch, count * lanes, height, width])
}

/** The blocks under images [B, H, W, C] that {@link fromBlocks} made of more than one. */
export function channelBlocks(x: Value): Value | undefined {
  const moved = inputsOf(x, 'Reshape')?.[0]
  if (moved === undefined || !isFromBlocks(moved)) return undefined
  const [batch, height, width, count, lanes] = moved.shape as readonly [number, number, number, number, number]
  return sameShape(x.shape, [batch, height, width, count * lanes]) ? moved.node!.inputs[0] : undefined
}

/** Whether `x` [B, H, W, C / lanes, lanes] was moved there from blocks. */
export function isFromBlocks({ node }: Value): boolean {
  if (node?.op !== 'Transpose') return false
  const permutation = node.attributes['perm'] as readonly number[]
  return permutation.length === 5 && permutation.every((axis, i) => axis === FROM_BLOCKS[i])
}

/** `x` + `bias` [C], where `x` are the images of a blocked convolution without one: the operator adds it. */
export function biasedConvolution(g: Graph, x: Value, bias: Value): Value | undefined {
  const inner = channelBlocks(x) ?? x
  const conv = inputsOf(inner, 'Reshape')?.[0]
  if (conv?.node?.domain !== BLOCKED_DOMAIN || conv.node.op !== 'Conv' || conv.node.inputs.length !== 2)
    return undefined
  const [batch, channels, height, width] = conv.shape as Shape4
  if (!sameShape(x.shape, [batch, height, width, channels]) || !sameShape(bias.shape, [channels])) return undefined
  const biased = g.op('Conv', [...conv.node.inputs, bias], conv, conv.node.attributes, BLOCKED_DOMAIN)
  return fromBlocks(g, asBlocks(g, biased))
}

/** Convolutions whose result only a ReLU takes rectify it themselves. */
export function rectifyConvolutions(nodes: readonly GraphNode[], outputs: ReadonlySet<Value>): GraphNode[] {
  const uses = new Map<Value, number>()
  for (const input of nodes.flatMap((node) => node.inputs)) {
    if (input !== undefined) uses.set(input, (uses.get(input) ?? 0) + 1)
  }
  const fused = new Map<GraphNode, GraphNode | undefined>()
  for (const node of nodes) {
    const source = node.op === 'Relu' ? node.inputs[0]! : undefined
    const conv = source?.node
    if (conv?.domain !== BLOCKED_DOMAIN || conv.op !== 'Conv' || uses.get(source!) !== 1 || outputs.has(source!))
      continue
    fused.set(conv, undefined)
    fused.set(node, { ...conv, attributes: { ...conv.attributes, activation: 'Relu' }, outputs: node.outputs })
  }
  return nodes.map((node) => (fused.has(node) ? fused.get(node) : node)).filter((node) => node !== undefined)
}
