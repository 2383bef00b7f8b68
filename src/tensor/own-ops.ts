import type { Tensor, TensorLike } from '@tensorflow/tfjs-core'
import { neg, softplus } from '@tensorflow/tfjs-core'

/**
 * log(1 / (1 + exp(-x))), element by element. That of TF.js forgets to keep `x` for its gradient, which fails wherever `x` is
 * a result of another op.
 */
export function logSigmoid<T extends Tensor>(x: T | TensorLike): T {
  return neg(softplus(neg(x))) as T
}
