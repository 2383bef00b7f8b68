import { ArmatureError, nearestNames } from '../core/errors.ts'
import type { NamedArrays, NdArray } from '../core/ndarray.ts'
import { dtypeOf, sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import type { Initializer } from './init.ts'
import { tf } from './tf.ts'

/** One weight of a network. */
export interface ParameterSpec {
  /** Unique within its `Parameters`; the name in checkpoints, e.g. `hidden0/kernel`. */
  readonly name: string
  readonly shape: readonly number[]
  readonly init: Initializer
}

/** Weights by name, as a layer sees them. */
export type Weights = Readonly<Record<string, tf.Tensor>>

/** Something whose state goes into checkpoints. */
export interface Stateful {
  /** Copies of the whole state. */
  toArrays(): NamedArrays
  /**
   * Checks `arrays` and returns the function that puts them in place, so that nothing changes unless all parts of a checkpoint fit.
   * @throws ArmatureError `bad-shape` or `bad-value` that names the array.
   */
  restorer(arrays: NamedArrays): () => void
}

/** Weights that one optimiser moves: those of one {@link Parameters}, or of several as one. */
export interface Trainable {
  /** Number of scalars. */
  readonly size: number
  /** The flat variables that hold them, one after the other. */
  readonly variables: readonly tf.Variable[]
  /** The weights in their shapes; the tensors belong to the caller (a `tidy` or a compiled function). */
  split(): Weights
}

/**
 * All weights of one optimiser in one flat variable [size]: an optimiser step is then a handful of element-wise ops whatever
 * the number of layers, and a compiled program has one input and one output for the whole network.
 *
 * @example
 * const net = mlp('', { inputSize: 4, hiddenSizes: [32], outputSize: 2 })
 * const parameters = new Parameters(net.parameters, rng)
 * const y = net.apply(parameters.split(), x)
 */
export class Parameters implements Trainable, Stateful {
  readonly specs: readonly ParameterSpec[]
  readonly size: number
  readonly variable: tf.Variable

  /** Draws each weight from its own stream, `rng.split(name)`, so that one more layer leaves the others as they were. */
  constructor(specs: readonly ParameterSpec[], rng: Rng) {
    const names = specs.map(({ name }) => name)
    const duplicate = names.find((name, index) => names.indexOf(name) !== index)
    if (duplicate !== undefined || specs.length === 0) {
      throw new ArmatureError('bad-argument', 'parameters', {
        expected: 'one or more weights with different names',
        got: duplicate === undefined ? 'none' : `"${duplicate}" twice`,
      })
    }
    this.specs = specs
    this.size = specs.reduce((size, { shape }) => size + sizeOf(shape), 0)
    const flat = new Float32Array(this.size)
    let offset = 0
    for (const { name, shape, init } of specs) {
      flat.set(init(shape, rng.split(name)), offset)
      offset += sizeOf(shape)
    }
    this.variable = tf.tidy(() => tf.variable(tf.tensor1d(flat)))
  }

  get variables(): readonly tf.Variable[] {
    return [this.variable]
  }

  split(): Weights {
    const sizes = this.specs.map(({ shape }) => sizeOf(shape))
    const pieces = sizes.length === 1 ? [this.variable] : tf.split(this.variable, sizes)
    return Object.fromEntries(
      this.specs.map(({ name, shape }, index) => [name, tf.reshape(pieces[index]!, [...shape])]),
    )
  }

  toArrays(): NamedArrays {
    const flat = this.variable.dataSync<'float32'>()
    let offset = 0
    const entries = this.specs.map(({ name, shape }): [string, NdArray] => {
      const data = flat.slice(offset, offset + sizeOf(shape))
      offset += data.length
      return [name, { data, shape }]
    })
    return Object.fromEntries(entries)
  }

  restorer(arrays: NamedArrays): () => void {
    checkNames(
      'weights',
      this.specs.map(({ name }) => name),
      arrays,
    )
    const flat = new Float32Array(this.size)
    let offset = 0
    for (const { name, shape } of this.specs) {
      flat.set(floatsOf(name, arrays, shape), offset)
      offset += sizeOf(shape)
    }
    return () => assignFlat(this.variable, flat)
  }

  /**
   * Takes over weights that {@link toArrays} of the same network gave.
   * @throws ArmatureError `bad-shape` or `bad-value` that names the weight; nothing has changed then.
   */
  fromArrays(arrays: NamedArrays): void {
    this.restorer(arrays)()
  }

  /** Takes over the values of a network of the same shape, e.g. for its target network. */
  copyFrom(other: Parameters): void {
    if (other.size !== this.size) {
      throw new ArmatureError('bad-shape', 'copy of weights', {
        expected: `${this.size} scalars`,
        got: String(other.size),
      })
    }
    assignFlat(this.variable, other.variable.dataSync<'float32'>().slice())
  }

  /**
   * w <- w + share (source - w), for use inside a compiled function: how a target network or a momentum copy follows `source`, and how
   * running statistics follow those of a batch, which go by the same names.
   */
  follow(source: Parameters | Weights, share: number): void {
    const flat = source instanceof Parameters ? source.variable : this.#joined(source)
    this.variable.assign(tf.add(this.variable, tf.mul(tf.sub(flat, this.variable), share)))
  }

  /** `weights` of these names, as one flat vector. */
  #joined(weights: Weights): tf.Tensor {
    return tf.concat(this.specs.map(({ name }) => tf.reshape(weights[name]!, [-1])))
  }

  dispose(): void {
    this.variable.dispose()
  }
}

/**
 * Several {@link Parameters} as one, e.g. a network that others share and the heads of a method: one optimiser moves them, and a
 * checkpoint holds them under one name. The parts stay with whoever made them.
 */
export class ParameterGroup implements Trainable, Stateful {
  readonly size: number
  readonly variables: readonly tf.Variable[]
  readonly #parts: readonly Parameters[]
  readonly #state: Stateful

  constructor(parts: readonly Parameters[]) {
    this.#parts = parts
    this.size = parts.reduce((size, part) => size + part.size, 0)
    this.variables = parts.map(({ variable }) => variable)
    this.#state = joinStates('weights', parts)
  }

  split(): Weights {
    return Object.assign({}, ...this.#parts.map((part) => part.split())) as Weights
  }

  toArrays(): NamedArrays {
    return this.#state.toArrays()
  }

  restorer(arrays: NamedArrays): () => void {
    return this.#state.restorer(arrays)
  }
}

/**
 * Loss and gradient of everything in `parameters`, for use inside a compiled function.
 *
 * `lossFn` is differentiated with respect to the split weights, and the pieces are joined afterwards: differentiating the
 * flat vector itself would pad every piece to full length and add them up. Whatever else it returns (metrics, tensors that
 * a later loss needs) comes back as plain values, without gradient.
 */
export function valueAndFlatGradient<T extends Record<string, tf.Tensor>>(
  parameters: Trainable,
  lossFn: (weights: Weights) => T & { readonly loss: tf.Tensor },
): { readonly values: T & { readonly loss: tf.Tensor }; readonly flatGradient: tf.Tensor } {
  const weights = parameters.split()
  const names = Object.keys(weights)
  let kept: (T & { readonly loss: tf.Tensor }) | undefined
  const forward = (): tf.Tensor => {
    kept = lossFn(weights)
    // The forward pass runs in a scope that disposes of all but the loss.
    for (const tensor of Object.values(kept)) tf.keep(tensor)
    return kept.loss
  }
  const allowNoGradients = true
  const { grads } = tf.engine().gradients(forward, Object.values(weights), undefined, allowNoGradients)
  const values = mapValues(kept!, (tensor) => {
    const owned = tf.clone(tensor)
    tensor.dispose()
    return owned
  })
  const unreached = grads.findIndex((gradient: tf.Tensor | undefined) => gradient === undefined)
  if (unreached >= 0) {
    throw new ArmatureError('bad-argument', 'loss', {
      expected: `to depend on "${names[unreached]}"`,
      got: 'no gradient',
    })
  }
  return { values, flatGradient: tf.concat(grads.map((gradient) => tf.reshape(gradient, [-1]))) }
}

function mapValues<T extends Record<string, tf.Tensor>>(record: T, map: (tensor: tf.Tensor) => tf.Tensor): T {
  return Object.fromEntries(Object.entries(record).map(([name, tensor]) => [name, map(tensor)])) as T
}

/** Several states as one, with the names of all: `what` in errors. @throws ArmatureError `bad-argument` for a name that two of them have. */
export function joinStates(what: string, parts: readonly Stateful[]): Stateful {
  const names = parts.map((part) => Object.keys(part.toArrays()))
  const twice = names.flat().find((name, index, all) => all.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new ArmatureError('bad-argument', what, { expected: 'different names', got: `"${twice}" twice` })
  }
  return {
    toArrays: () => Object.assign({}, ...parts.map((part) => part.toArrays())) as NamedArrays,
    restorer: (arrays) => {
      checkNames(what, names.flat(), arrays)
      const commits = parts.map((part, i) =>
        part.restorer(Object.fromEntries(names[i]!.map((name) => [name, arrays[name]!]))),
      )
      return () => commits.forEach((commit) => commit())
    },
  }
}

/** The state of all `parts`, under `part/name`. */
export function saveParts(parts: Readonly<Record<string, Stateful>>): NamedArrays {
  const arrays: Record<string, NdArray> = {}
  for (const [part, stateful] of Object.entries(parts)) {
    for (const [name, array] of Object.entries(stateful.toArrays())) arrays[`${part}/${name}`] = array
  }
  return arrays
}

/**
 * Puts back what {@link saveParts} gave, all of it or nothing.
 * @throws ArmatureError `bad-shape` or `bad-value` that names the array which is missing, left over or does not fit.
 */
export function restoreParts(what: string, parts: Readonly<Record<string, Stateful>>, arrays: NamedArrays): void {
  const byPart = new Map<string, Record<string, NdArray>>(Object.keys(parts).map((part) => [part, {}]))
  for (const [path, array] of Object.entries(arrays)) {
    const slash = path.indexOf('/')
    const part = byPart.get(path.slice(0, slash))
    if (part === undefined) {
      throw new ArmatureError('bad-value', `${what}: state`, {
        expected: `arrays of ${[...byPart.keys()].join(', ')}`,
        got: `"${path}"`,
      })
    }
    part[path.slice(slash + 1)] = array
  }
  const commits = Object.entries(parts).map(([part, stateful]) => {
    try {
      return stateful.restorer(byPart.get(part)!)
    } catch (error) {
      if (!(error instanceof ArmatureError)) throw error
      throw new ArmatureError(error.code, `${what}: ${part}: ${error.message}`, { cause: error })
    }
  })
  for (const commit of commits) commit()
}

/** @throws ArmatureError `bad-value` unless `arrays` has exactly `names`. */
export function checkNames(what: string, names: readonly string[], arrays: NamedArrays): void {
  const missing = names.find((name) => !(name in arrays))
  if (missing !== undefined) {
    const hint = nearestNames(missing, Object.keys(arrays))[0]
    throw new ArmatureError('bad-value', what, {
      expected: `"${missing}"`,
      got: hint === undefined ? 'no such array' : `"${hint}"`,
    })
  }
  const extra = Object.keys(arrays).find((name) => !names.includes(name))
  if (extra !== undefined) {
    throw new ArmatureError('bad-value', what, { expected: names.join(', '), got: `"${extra}" as well` })
  }
}

/** @throws ArmatureError `bad-shape` or `bad-value` unless `arrays[name]` is a finite float32 array of `shape`. */
export function floatsOf(name: string, arrays: NamedArrays, shape: readonly number[]): Float32Array {
  const { data, shape: gotShape } = arrays[name]!
  const fits = gotShape.length === shape.length && gotShape.every((n, axis) => n === shape[axis])
  if (!fits || !(data instanceof Float32Array) || data.length !== sizeOf(shape)) {
    throw new ArmatureError('bad-shape', name, {
      expected: `float32 [${shape.join(', ')}]`,
      got: `${dtypeOf(data)} [${gotShape.join(', ')}]`,
    })
  }
  const bad = data.findIndex((x) => !Number.isFinite(x))
  if (bad >= 0) throw new ArmatureError('bad-value', name, { got: `${data[bad]} at index ${bad}` })
  return data
}

/** Sets a flat variable outside compiled functions. */
export function assignFlat(variable: tf.Variable, data: Float32Array): void {
  tf.tidy(() => {
    variable.assign(tf.tensor1d(data))
  })
}
