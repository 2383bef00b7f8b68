import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core'
import {
  add,
  broadcast_util,
  cast,
  clone,
  concat,
  cumprod,
  cumsum,
  customGrad,
  equal,
  expandDims,
  gatherND,
  getGradient,
  greaterEqual,
  less,
  lessEqual,
  greater,
  minimum,
  mul,
  neg,
  range,
  registerGradient,
  relu,
  reshape,
  scatterND,
  stack,
  sub,
  sum,
  tensorScatterUpdate,
  transpose,
  util,
  zerosLike,
} from '@tensorflow/tfjs-core'
import { registerLinearGradients } from './gradients-linear.ts'

/** Nothing flows back through these, but TF.js refuses to differentiate `where(greater(x, 0), ...)` at all. */
const FLAT_OF_TWO = ['Equal', 'NotEqual', 'Greater', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalOr'] as const

const FLAT_OF_ONE = ['LogicalNot', 'Any', 'All', 'ArgMax', 'ArgMin'] as const

/**
 * Gradients that TF.js lacks or gets wrong: comparisons; operands of `maximum`, `minimum` and `squaredDifference` that were
 * broadcast; `cumsum` along an inner axis; `prod` (which calls methods that only its browser bundle has); casts to integers, which
 * passed gradients through; indices of `gather`; `unstack` and `split` into one part; the second derivative of `elu`; and
 * products, in `gradients-linear.ts`.
 */
export function registerMissingGradients(): void {
  for (const kernelName of FLAT_OF_TWO) {
    registerGradient({
      kernelName,
      inputsToSave: ['a', 'b'],
      gradFunc: (_, saved) => ({ a: () => zeros(saved[0]!), b: () => zeros(saved[1]!) }),
    })
  }
  for (const kernelName of FLAT_OF_ONE) {
    registerGradient({ kernelName, inputsToSave: ['x'], gradFunc: (_, saved) => ({ x: () => zeros(saved[0]!) }) })
  }
  registerGradient(extremum('Maximum', greaterEqual, less))
  registerGradient(extremum('Minimum', lessEqual, greater))
  registerGradient(SQUARED_DIFFERENCE)
  registerGradient(CUMSUM)
  registerGradient(PROD)
  registerGradient(CAST)
  registerGradient(RELU)
  registerGradient(ELU)
  registerGradient(withFlatIndices(getGradient('GatherV2')))
  registerGradient(GATHER_ND)
  registerGradient(TOP_K)
  registerGradient(SCATTER_ND)
  registerGradient(SCATTER_UPDATE)
  registerGradient(partsGradient('Unpack', 'value', (parts, axis) => stack(parts, axis)))
  registerGradient(partsGradient('SplitV', 'x', (parts, axis) => concat(parts, axis)))
  registerLinearGradients()
}

function zeros(x: Tensor): Tensor {
  return cast(zerosLike(x), 'float32')
}

/** Sums a gradient over the axes along which an operand of `shape` was broadcast. */
function sumTo(gradient: Tensor, shape: number[]): Tensor {
  const axes = broadcast_util.getReductionAxes(shape, gradient.shape)
  return reshape(axes.length > 0 ? sum(gradient, axes) : gradient, shape)
}

type Comparison = (a: Tensor, b: Tensor) => Tensor

function extremum(kernelName: string, takesFirst: Comparison, takesSecond: Comparison): GradConfig {
  return {
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, saved) => {
      const [a, b] = saved as [Tensor, Tensor]
      const share = (picks: Comparison, x: Tensor): Tensor =>
        sumTo(mul(dy as Tensor, cast(picks(a, b), 'float32')), x.shape)
      return { a: () => share(takesFirst, a), b: () => share(takesSecond, b) }
    },
  }
}

const SQUARED_DIFFERENCE: GradConfig = {
  kernelName: 'SquaredDifference',
  inputsToSave: ['a', 'b'],
  gradFunc: (dy, saved) => {
    const [a, b] = saved as [Tensor, Tensor]
    const slope = (): Tensor => mul(dy as Tensor, mul(sub(a, b), 2))
    return { a: () => sumTo(slope(), a.shape), b: () => sumTo(neg(slope()), b.shape) }
  },
}

const CUMSUM: GradConfig = {
  kernelName: 'Cumsum',
  gradFunc: (dy, _, attributes) => {
    const { axis, exclusive, reverse } = attributes as NamedAttrMap & {
      axis: number
      exclusive: boolean
      reverse: boolean
    }
    return { x: () => cumsum(dy as Tensor, axis, exclusive, !reverse) }
  },
}

/** Per factor the product of all others, from those before and those after it, so that zeros are no exception. */
const PROD: GradConfig = {
  kernelName: 'Prod',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attributes) => {
    const x = saved[0]!
    const { axis } = attributes as NamedAttrMap & { axis: number | number[] | null }
    const axes = util.parseAxisParam(axis ?? x.shape.map((_, i) => i), x.shape)
    return {
      x: () => {
        const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i))
        const order = [...kept, ...axes]
        const keptShape = kept.map((i) => x.shape[i]!)
        const rows = reshape(transpose(x, order), [...keptShape, -1]) // [..., product]
        const others = mul(cumprod(rows, kept.length, true, false), cumprod(rows, kept.length, true, true))
        const gradient = reshape(
          mul(reshape(dy as Tensor, [...keptShape, 1]), others),
          order.map((i) => x.shape[i]!),
        )
        return transpose(
          gradient,
          order.map((_, i) => order.indexOf(i)),
        )
      },
    }
  },
}

/** Only between floats does a gradient pass: a step function has none. */
const CAST: GradConfig = {
  kernelName: 'Cast',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attributes) => {
    const x = saved[0]!
    const passes = x.dtype === 'float32' && attributes['dtype'] === 'float32'
    return { x: () => (passes ? clone(dy as Tensor) : zeros(x)) }
  },
}

/** 1 where x > 0, taken from relu(x), which compiled programs have at hand; for NaN too, as in PyTorch. */
const RELU: GradConfig = {
  kernelName: 'Relu',
  inputsToSave: ['x'],
  gradFunc: (dy, saved) => ({ x: () => mul(dy as Tensor, cast(cast(relu(saved[0]!), 'bool'), 'float32')) }),
}

/** dy where y > 0, else dy (y + 1): in ops that have gradients themselves. */
const ELU: GradConfig = {
  kernelName: 'Elu',
  outputsToSave: [true],
  gradFunc: (dy, saved) => ({ x: () => mul(dy as Tensor, add(minimum(saved[0]!, 0), 1)) }),
}

/** The gradient of rows that were picked along an axis: that of TF.js, with none for the indices. */
function withFlatIndices(known: GradConfig): GradConfig {
  return {
    ...known,
    gradFunc: (dy, saved, attributes) => ({
      ...known.gradFunc(dy, saved, attributes),
      indices: () => zeros(saved[1]!),
    }),
  }
}

const GATHER_ND: GradConfig = {
  kernelName: 'GatherNd',
  inputsToSave: ['params', 'indices'],
  gradFunc: (dy, saved) => {
    const [params, indices] = saved as [Tensor, Tensor]
    return { params: () => scatterND(indices, dy as Tensor, params.shape), indices: () => zeros(indices) }
  },
}

const SCATTER_ND: GradConfig = {
  kernelName: 'ScatterNd',
  inputsToSave: ['indices'],
  gradFunc: (dy, saved) => {
    const indices = saved[0]!
    return { updates: () => gatherND(dy as Tensor, indices), indices: () => zeros(indices) }
  },
}

const SCATTER_UPDATE: GradConfig = {
  kernelName: 'TensorScatterUpdate',
  inputsToSave: ['indices', 'updates'],
  gradFunc: (dy, saved) => {
    const [indices, updates] = saved as [Tensor, Tensor]
    return {
      tensor: () => tensorScatterUpdate(dy as Tensor, indices, zerosLike(updates)),
      updates: () => gatherND(dy as Tensor, indices),
      indices: () => zeros(indices),
    }
  },
}

/** The gradients of the largest elements go back to where they were, along the last axis. */
const TOP_K: GradConfig = {
  kernelName: 'TopK',
  inputsToSave: ['x'],
  outputsToSave: [false, true],
  gradFunc: (dy, saved) => {
    const [x, indices] = saved as [Tensor, Tensor]
    const values = (dy as unknown as Tensor[])[0]!
    const places = range(0, x.shape.at(-1)!, 1, 'int32')
    const isThere = cast(equal(expandDims(indices, -1), places), 'float32') // [..., k, n]
    return { x: () => sum(mul(isThere, expandDims(values, -1)), -2) }
  },
}

/** TF.js hands the gradient of a single part over without a list around it. */
function partsGradient(kernelName: string, input: string, join: (parts: Tensor[], axis: number) => Tensor): GradConfig {
  return {
    kernelName,
    gradFunc: (dy, _, attributes) => {
      const parts = Array.isArray(dy) ? dy : [dy]
      return { [input]: () => join(parts, attributes['axis'] as number) }
    },
  }
}

/**
 * `x` as a constant: nothing flows back through it. For use inside a loss.
 *
 * What is recorded has no input, so that differentiation ends here: a gradient of zeros would be sent all the way back.
 */
export function stopGradient(x: Tensor): Tensor {
  return customGrad(() => ({ value: clone(x), gradFunc: () => [] }))()
}
