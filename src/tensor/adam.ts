import { ArmatureError } from '../core/errors.ts'
import type { NamedArrays, NdArray } from '../core/ndarray.ts'
import type { Stateful, Trainable } from './parameters.ts'
import { assignFlat, checkNames, floatsOf } from './parameters.ts'
import { tf } from './tf.ts'

/** A step size that falls once, as when a policy is good and has to become steady. */
export interface LearningRateDrop {
  /** Steps before it falls. */
  readonly after: number
  /** What is left of it, as a share. */
  readonly factor: number
}

export interface AdamOptions {
  readonly learningRate: number
  /** Absent or null: `learningRate` stays as it is. */
  readonly learningRateDrop?: LearningRateDrop | null
  /** Decay of the first moment, default 0.9. */
  readonly beta1?: number
  /** Decay of the second moment, default 0.999. */
  readonly beta2?: number
  /** Added to the root of the second moment, default 1e-8. */
  readonly epsilon?: number
  /** Rescales a longer gradient to this Euclidean norm before anything else. */
  readonly clipNorm?: number
  /** Adds `l2` times the weights to the gradient (after clipping), as PyTorch's `weight_decay` does; not decoupled. */
  readonly l2?: number
  /** Takes this share of `learningRate` off the weights before each step, apart from the gradient (AdamW, Loshchilov & Hutter 2019). */
  readonly weightDecay?: number
}

/**
 * Adam (Kingma & Ba 2015, algorithm 1) on the flat vector of a {@link Trainable}.
 *
 * With the moments kept as plain sums, M = m / (1 - beta1) and V = v / (1 - beta2), a step is
 *   M <- beta1 M + g,   V <- beta2 V + g^2,   w <- w - stepSize M / (sqrt(V) + epsilonHat):
 * ten element-wise ops, with bias corrections and factors folded into scalars. Those depend on the step count, so the
 * host works them out in float64 and hands them to the program as an input:
 *
 * @example
 * const program = compile<'x' | 'adam', 'loss'>('update', ({ x, adam }) => {
 *   const { values, flatGradient } = valueAndFlatGradient(parameters, (weights) => ({ loss: lossOf(weights, x) }))
 *   optimizer.apply(flatGradient, adam)
 *   return { loss: values.loss }
 * })
 * await program.run({ x, adam: optimizer.stepScalars() })
 * optimizer.advance()
 */
export class Adam implements Stateful {
  readonly #parameters: Trainable
  readonly #options: Required<Omit<AdamOptions, 'clipNorm'>> & Pick<AdamOptions, 'clipNorm'>
  /** Sums [N]: M and V above. */
  readonly #firstMoment: tf.Variable
  readonly #secondMoment: tf.Variable
  #step = 0

  constructor(parameters: Trainable, options: AdamOptions) {
    this.#parameters = parameters
    this.#options = {
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      l2: 0,
      weightDecay: 0,
      learningRateDrop: null,
      ...options,
    }
    const zeros = (): tf.Variable => tf.tidy(() => tf.variable(tf.zeros([parameters.size])))
    this.#firstMoment = zeros()
    this.#secondMoment = zeros()
  }

  /** Steps taken so far. */
  get step(): number {
    return this.#step
  }

  /** [stepSize, epsilonHat, kept share of the weights] of the next step: the input that {@link apply} wants. */
  stepScalars(): NdArray<Float32Array> {
    const { beta1, beta2, epsilon, weightDecay, learningRateDrop: drop } = this.#options
    const learningRate = this.#options.learningRate * (drop && this.#step >= drop.after ? drop.factor : 1)
    const step = this.#step + 1
    const rootScale = Math.sqrt((1 - beta2) / (1 - beta2 ** step))
    const stepSize = (learningRate * (1 - beta1)) / ((1 - beta1 ** step) * rootScale)
    return { data: Float32Array.of(stepSize, epsilon / rootScale, 1 - learningRate * weightDecay), shape: [3] }
  }

  /**
   * Assigns the weights and moments after one step along `flatGradient` [N]; `stepScalars` [3]. Belongs in a compiled
   * function. Returns the norm of the gradient before clipping, [].
   */
  apply(flatGradient: tf.Tensor, stepScalars: tf.Tensor): { readonly gradientNorm: tf.Tensor } {
    const { beta1, beta2, clipNorm, l2, weightDecay } = this.#options
    const { variables } = this.#parameters
    const weights = variables.length === 1 ? variables[0]! : tf.concat([...variables]) // [N]
    const gradientNorm = tf.sqrt(tf.sum(tf.square(flatGradient))) // []
    let gradient = flatGradient // [N]
    if (clipNorm !== undefined) {
      gradient = tf.mul(gradient, tf.div(clipNorm, tf.maximum(gradientNorm, clipNorm)))
    }
    if (l2 > 0) gradient = tf.add(gradient, tf.mul(weights, l2))
    const [stepSize, epsilonHat, keptShare] = tf.split(stepScalars, 3) as [tf.Tensor, tf.Tensor, tf.Tensor] // [1] each
    const first = tf.add(tf.mul(this.#firstMoment, beta1), gradient) // [N]
    const second = tf.add(tf.mul(this.#secondMoment, beta2), tf.mul(gradient, gradient)) // [N]
    const direction = tf.div(first, tf.add(tf.sqrt(second), epsilonHat)) // [N]
    this.#firstMoment.assign(first)
    this.#secondMoment.assign(second)
    const kept = weightDecay === 0 ? weights : tf.mul(weights, keptShare) // [N]
    const moved = tf.sub(kept, tf.mul(direction, stepSize)) // [N]
    const sizes = variables.map(({ size }) => size)
    const pieces = variables.length === 1 ? [moved] : tf.split(moved, sizes)
    variables.forEach((variable, i) => variable.assign(pieces[i]!))
    return { gradientNorm }
  }

  /** Counts a step; call it once a program with {@link apply} has run. */
  advance(): void {
    this.#step++
  }

  toArrays(): NamedArrays {
    const shape = [this.#parameters.size]
    return {
      step: { data: Int32Array.of(this.#step), shape: [1] },
      firstMoment: { data: this.#firstMoment.dataSync<'float32'>().slice(), shape },
      secondMoment: { data: this.#secondMoment.dataSync<'float32'>().slice(), shape },
    }
  }

  restorer(arrays: NamedArrays): () => void {
    checkNames('Adam', ['step', 'firstMoment', 'secondMoment'], arrays)
    const shape = [this.#parameters.size]
    const first = floatsOf('firstMoment', arrays, shape).slice()
    const second = floatsOf('secondMoment', arrays, shape).slice()
    const step = arrays['step']!.data[0]
    if (step === undefined || !Number.isInteger(step) || step < 0) {
      throw new ArmatureError('bad-value', 'step', { expected: 'an integer >= 0', got: String(step) })
    }
    return () => {
      this.#step = step
      assignFlat(this.#firstMoment, first)
      assignFlat(this.#secondMoment, second)
    }
  }

  /** @throws ArmatureError `bad-shape` or `bad-value` that names the array; nothing has changed then. */
  fromArrays(arrays: NamedArrays): void {
    this.restorer(arrays)()
  }

  dispose(): void {
    this.#firstMoment.dispose()
    this.#secondMoment.dispose()
  }
}
