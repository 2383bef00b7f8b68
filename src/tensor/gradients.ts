import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core'
import {
  broadcast_util,
  cast,
  cumprod,
  cumsum,
  greaterEqual,
  less,
  lessEqual,
  greater,
  mul,
  neg,
  registerGradient,
  reshape,
  sub,
  sum,
  transpose,
  util,
  zerosLike,
} from '@tensorflow/tfjs-core'

/** Comparisons: nothing flows back, but TF.js refuses to differentiate `where(greater(x, 0), ...)` at all. */
const FLAT_OF_TWO = ['Equal', 'NotEqual', 'Greater', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalOr'] as const

/**
 * Gradients that TF.js lacks or gets wrong: comparisons; operands of `maximum`, `minimum` and `squaredDifference` that were
 * broadcast; `cumsum` along an inner axis; `prod` (which calls methods that only its browser bundle has).
 */
export function registerMissingGradients(): void {
  for (const kernelName of FLAT_OF_TWO) {
    registerGradient({
      kernelName,
      inputsToSave: ['a', 'b'],
      gradFunc: (_, saved) => ({ a: () => zeros(saved[0]!), b: () => zeros(saved[1]!) }),
    })
  }
  registerGradient({
    kernelName: 'LogicalNot',
    inputsToSave: ['x'],
    gradFunc: (_, saved) => ({ x: () => zeros(saved[0]!) }),
  })
  registerGradient(extremum('Maximum', greaterEqual, less))
  registerGradient(extremum('Minimum', lessEqual, greater))
  registerGradient(SQUARED_DIFFERENCE)
  registerGradient(CUMSUM)
  registerGradient(PROD)
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
