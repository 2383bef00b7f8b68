import { sizeOf } from '../../core/ndarray.ts'
import type { Graph, Shape, Value } from './graph.ts'
import { broadcastShape, inputsOf, splatOf } from './graph.ts'
import { expand, reshape, transpose } from './movement.ts'

/** Matrix product over the last two axes, with leading axes broadcast. */
export function matMul(g: Graph, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const [rows, columns] = [a.shape.at(transposeA ? -1 : -2)!, b.shape.at(transposeB ? -2 : -1)!]
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const shape = [...batch, rows, columns]
  if (a.shape.at(transposeA ? -2 : -1) === 0) return g.splat(0, shape, a.type)
  const [x, y] = [unbatched(g, a), unbatched(g, b)]
  if (x.shape.length === 2 && y.shape.length === 2) {
    return expand(g, reshapeUp(g, gemm(g, x, y, transposeA, transposeB), batch), shape)
  }
  if (y.shape.length === 2 && !transposeA) {
    const flat = reshape(g, x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!])
    const product = gemm(g, flat, y, false, transposeB)
    return expand(g, reshape(g, product, [...x.shape.slice(0, -1), columns]), shape)
  }
  const narrow = [...broadcastShape(x.shape.slice(0, -2), y.shape.slice(0, -2)), rows, columns]
  const spec = { type: a.type, shape: narrow }
  if (a.type !== 'float32') {
    const [p, q] = [transposeA ? swapped(g, x) : x, transposeB ? swapped(g, y) : y]
    return expand(g, g.op('MatMul', [p, q], spec), shape)
  }
  if (!transposeA && !transposeB) return expand(g, g.op('MatMul', [x, y], spec), shape)
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) }
  return expand(g, g.op('FusedMatMul', [x, y], spec, attributes, 'com.microsoft'), shape)
}

/** The last two axes the other way round. */
function swapped(g: Graph, x: Value): Value {
  const rank = x.shape.length
  return transpose(g, x, [...x.shape.keys()].slice(0, -2).concat(rank - 1, rank - 2))
}

/** Product of two matrices; Gemm is for float32 alone. */
export function gemm(g: Graph, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const shape = [a.shape[transposeA ? 1 : 0]!, b.shape[transposeB ? 0 : 1]!]
  if (a.type !== 'float32') {
    const [x, y] = [transposeA ? transpose(g, a, [1, 0]) : a, transposeB ? transpose(g, b, [1, 0]) : b]
    return g.op('MatMul', [x, y], { type: a.type, shape })
  }
  const attributes = { ...(transposeA && { transA: 1 }), ...(transposeB && { transB: 1 }) }
  return g.op('Gemm', [a, b], { type: a.type, shape }, attributes)
}

/** `x` without batch axes that are only broadcast or of size 1. */
function unbatched(g: Graph, x: Value): Value {
  const source = inputsOf(x, 'Expand')?.[0]
  const matrixKept =
    source !== undefined && source.shape.at(-1) === x.shape.at(-1) && source.shape.at(-2) === x.shape.at(-2)
  const narrow = matrixKept && splatOf(x) === undefined ? source : x
  const batch = narrow.shape.slice(0, -2)
  return batch.length > 0 && sizeOf(batch) === 1 ? reshape(g, narrow, narrow.shape.slice(-2)) : narrow
}

function reshapeUp(g: Graph, product: Value, batch: Shape): Value {
  return reshape(g, product, [...batch.map(() => 1), ...product.shape])
}
