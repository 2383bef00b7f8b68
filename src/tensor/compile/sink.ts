import { sizeOf } from '../../core/ndarray.ts'
import type { Graph, Value } from './graph.ts'
import { inputsOf } from './graph.ts'
import { concat, reshape, slice, transpose } from './movement.ts'

/**
 * Applies an element-wise function to `x` below the reshapes, transposes, joins and crops that made it, where they end at matrix
 * products: ONNX Runtime then fuses a bias and an activation with the product instead of passing over the result again.
 *
 * @param vector a second operand with one number per channel (last axis), which `apply` gets in the form that fits below
 * @returns undefined where that does not work
 */
export function belowMovement(
  g: Graph,
  x: Value,
  vector: Value | undefined,
  apply: (source: Value, vector: Value | undefined) => Value,
): Value | undefined {
  if (!endsAtProducts(x)) return undefined
  const node = x.node!
  const source = node.inputs[0]!
  const sink = (part: Value, partVector = vector): Value =>
    belowMovement(g, part, partVector, apply) ?? apply(part, partVector)
  switch (node.op) {
    case 'Reshape': {
      const narrow = vector === undefined ? undefined : alongLastAxis(g, vector, source)
      if (vector !== undefined && narrow === undefined) return undefined
      return reshape(g, sink(source, narrow), x.shape)
    }
    case 'Transpose': {
      const permutation = node.attributes['perm'] as readonly number[]
      if (vector !== undefined && permutation.at(-1) !== permutation.length - 1) return undefined
      return transpose(g, sink(source), permutation)
    }
    case 'Concat': {
      const axis = node.attributes['axis'] as number
      if (vector !== undefined && axis === x.shape.length - 1) return undefined
      return concat(
        g,
        (node.inputs as readonly Value[]).map((part) => sink(part)),
        axis,
      )
    }
    case 'Slice': {
      const crop = cropOf(x)
      if (crop === undefined || (vector !== undefined && x.shape.at(-1) !== source.shape.at(-1))) return undefined
      return slice(g, sink(source), crop, x.shape)
    }
    default:
      return undefined
  }
}

/** Longest join that is looked through: each part costs a node of its own. */
const MOST_PARTS = 4
/** Smallest part of an image that a crop may leave; what is cut off is computed in vain. */
const LEAST_KEPT = 0.7

/** Whether `x` is rows of matrix products, only moved about. */
function endsAtProducts(x: Value): boolean {
  const node = x.node
  switch (node?.op) {
    case 'Reshape':
    case 'Transpose':
      return isProduct(node.inputs[0]!) || endsAtProducts(node.inputs[0]!)
    case 'Concat':
      return node.inputs.length <= MOST_PARTS && node.inputs.every((part) => isProduct(part!) || endsAtProducts(part!))
    case 'Slice':
      return sizeOf(x.shape) >= LEAST_KEPT * sizeOf(node.inputs[0]!.shape) && endsAtProducts(node.inputs[0]!)
    default:
      return false
  }
}

/** A Gemm, with or without a bias. */
function isProduct(x: Value): boolean {
  if (x.node?.op === 'Gemm') return true
  return inputsOf(x, 'Add')?.some((operand) => operand.node?.op === 'Gemm') ?? false
}

/** `vector`, one number per channel, as one per column of a matrix with the same elements whose rows hold several pixels each. */
function alongLastAxis(g: Graph, vector: Value, source: Value): Value | undefined {
  const channels = vector.shape[0]!
  const columns = source.shape.at(-1) ?? 1
  if (columns === channels) return vector
  if (columns % channels !== 0) return undefined
  return g.op('Tile', [vector, g.int64s([columns / channels])], { type: vector.type, shape: [columns] })
}

/** Where a crop (a Slice with step 1) begins. */
function cropOf(x: Value): number[] | undefined {
  const [source, begins, , axes, steps] = x.node!.inputs as readonly Value[]
  const numbers = (value: Value): number[] => {
    const { constant } = value
    return constant !== undefined && 'data' in constant ? Array.from(constant.data, Number) : []
  }
  if (numbers(steps!).some((step) => step !== 1)) return undefined
  const begin = source!.shape.map(() => 0)
  for (const [i, axis] of numbers(axes!).entries()) begin[axis] = numbers(begins!)[i]!
  return begin
}
