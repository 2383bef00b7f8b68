import type { Tensor, TensorLike } from '@tensorflow/tfjs-core'
import { matMul, neg, reshape, softplus, sum, transpose } from '@tensorflow/tfjs-core'
import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'

/**
 * log(1 / (1 + exp(-x))), element by element. That of TF.js forgets to keep `x` for its gradient, which fails wherever `x` is
 * a result of another op.
 */
export function logSigmoid<T extends Tensor>(x: T | TensorLike): T {
  return neg(softplus(neg(x))) as T
}

/**
 * Einstein's summation over any number of tensors, such as `einsum('bqd,bkd->bqk', queries, keys)`, with gradients, which that of
 * TF.js lacks. As there, no index may occur twice in a term and `...` is not understood.
 *
 * @throws ArmatureError `bad-shape` for an equation that does not fit the tensors
 */
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
  const [left = '', right, ...more] = equation.replaceAll(/\s/g, '').split('->')
  const terms = left.split(',')
  const wellFormed = right !== undefined && more.length === 0 && /^[a-zA-Z,]*$/.test(left + right)
  const repeated = [...terms, right ?? ''].some((term) => new Set(term).size !== term.length)
  const fits = terms.length === tensors.length && terms.every((term, i) => term.length === tensors[i]!.rank)
  const known = lettersOf(right ?? '').every((index) => left.includes(index))
  if (!wellFormed || repeated || !fits || !known) {
    throw new ArmatureError('bad-shape', `einsum ${equation}`, {
      expected: 'an equation such as ij,jk->ik with one index per axis of each tensor, none twice in a term',
      got: tensors.map(({ shape }) => `[${shape.join(', ')}]`).join(', '),
    })
  }
  const operands = terms.map((term, i) => ({ indices: lettersOf(term), tensor: tensors[i]! }))
  const [first, ...others] = operands
  const product = others.reduce<Indexed>(
    (a, b, i) => contract(a, b, lettersOf(right + terms.slice(i + 2).join(''))),
    first!,
  )
  return ordered(summed(product, lettersOf(right)), lettersOf(right)).tensor
}

function lettersOf(term: string): string[] {
  return Array.from(term)
}

/** A tensor with a letter for each axis. */
interface Indexed {
  readonly indices: readonly string[]
  readonly tensor: Tensor
}

/** `a` without the axes that `kept` does not name. */
function summed({ indices, tensor }: Indexed, kept: readonly string[]): Indexed {
  const axes = [...indices.keys()].filter((axis) => !kept.includes(indices[axis]!))
  if (axes.length === 0) return { indices, tensor }
  return { indices: indices.filter((index) => kept.includes(index)), tensor: sum(tensor, axes) }
}

/** The same with its axes in the order of `order`. */
function ordered({ indices, tensor }: Indexed, order: readonly string[]): Indexed {
  const permutation = order.map((index) => indices.indexOf(index))
  return { indices: order, tensor: order.length < 2 ? tensor : transpose(tensor, permutation) }
}

/** The product of two, summed over the axes that nothing else needs, as one batched matrix product. */
function contract(a: Indexed, b: Indexed, needed: readonly string[]): Indexed {
  const [left, right] = [summed(a, [...b.indices, ...needed]), summed(b, [...a.indices, ...needed])]
  const shared = left.indices.filter((index) => right.indices.includes(index))
  const batch = shared.filter((index) => needed.includes(index))
  const inner = shared.filter((index) => !needed.includes(index))
  const rows = left.indices.filter((index) => !shared.includes(index))
  const columns = right.indices.filter((index) => !shared.includes(index))
  const sizes = (from: Indexed, indices: readonly string[]): number[] =>
    indices.map((index) => from.tensor.shape[from.indices.indexOf(index)]!)
  const matrices = (from: Indexed, height: readonly string[], width: readonly string[]): Tensor =>
    reshape(
      ordered(from, [...batch, ...height, ...width]).tensor,
      [batch, height, width].map((indices) => sizeOf(sizes(from, indices))),
    )
  const product = matMul(matrices(left, rows, inner), matrices(right, inner, columns))
  return {
    indices: [...batch, ...rows, ...columns],
    tensor: reshape(product, [...sizes(left, batch), ...sizes(left, rows), ...sizes(right, columns)]),
  }
}
