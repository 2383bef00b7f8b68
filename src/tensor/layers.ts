/**
 * Layers: what weights they need and a pure function of weights and input. Networks are built once, outside compiled
 * functions, and applied inside. Images are NHWC.
 */
import type { Initializer } from './init.ts'
import { orthogonal, RELU_GAIN, zeros, constant } from './init.ts'
import type { ParameterSpec, Weights } from './parameters.ts'
import { tf } from './tf.ts'

export interface Layer {
  readonly parameters: readonly ParameterSpec[]
  /** Running statistics of batch normalisation: no gradient moves them. {@link apply} finds them among the weights, unless it is given `batch`. */
  readonly statistics?: readonly ParameterSpec[]
  /** @param batch given: batch normalisation goes by the rows of `x`, and puts their statistics here, under the names of the running ones */
  apply(weights: Weights, x: tf.Tensor, batch?: Record<string, tf.Tensor>): tf.Tensor
}

export interface DenseOptions {
  readonly inputSize: number
  readonly outputSize: number
  /** Default: orthogonal with the gain of a ReLU. */
  readonly kernelInit?: Initializer
  /** Default: zeros. */
  readonly biasInit?: Initializer
  /** Number of independent copies that run as one batched product; absent: one plain layer. */
  readonly ensemble?: number
}

/**
 * x W + b: [B, in] -> [B, out], weights `name/kernel` [in, out] and `name/bias` [out].
 * An ensemble of E maps [E, B, in], or one [B, in] for all members, to [E, B, out].
 */
export function dense(name: string, options: DenseOptions): Layer {
  const { inputSize, outputSize, ensemble } = options
  const members = ensemble === undefined ? [] : [ensemble]
  const kernel = `${name}/kernel`
  const bias = `${name}/bias`
  return {
    parameters: [
      {
        name: kernel,
        shape: [...members, inputSize, outputSize],
        init: options.kernelInit ?? orthogonal(RELU_GAIN),
      },
      {
        name: bias,
        shape: ensemble === undefined ? [outputSize] : [ensemble, 1, outputSize],
        init: options.biasInit ?? zeros,
      },
    ],
    apply: (weights, x) => {
      return tf.add(tf.matMul(forEach(ensemble, x), weights[kernel]!), weights[bias]!)
    },
  }
}

/** One [B, D] for every member of an ensemble, [E, B, D]; what is theirs already, or for no ensemble, as it is. */
function forEach(ensemble: number | undefined, x: tf.Tensor): tf.Tensor {
  return ensemble !== undefined && x.rank === 2 ? tf.tile(tf.expandDims(x, 0), [ensemble, 1, 1]) : x
}

/** Added to the variance, as in PyTorch. */
const LAYER_NORM_EPSILON = 1e-5

/**
 * Layer normalisation over the last axis (Ba et al. 2016) with learned `name/scale` and `name/offset`:
 * [..., D] -> [..., D]. An ensemble has a scale and offset per member and takes [E, B, D].
 */
export function layerNorm(name: string, size: number, ensemble?: number): Layer {
  const shape = ensemble === undefined ? [size] : [ensemble, 1, size]
  const scale = `${name}/scale`
  const offset = `${name}/offset`
  return {
    parameters: [
      { name: scale, shape, init: constant(1) },
      { name: offset, shape, init: zeros },
    ],
    apply: (weights, x) => tf.add(tf.mul(standardize(x, -1, LAYER_NORM_EPSILON), weights[scale]!), weights[offset]!),
  }
}

/** Added to the variance, as in Flax and in the released code of CrossQ. */
const BATCH_NORM_EPSILON = 1e-3

/**
 * Batch normalisation over the rows (Ioffe & Szegedy 2015) with learned `name/scale` and `name/offset`: [B, D] -> [B, D], with the mean and the
 * variance of the batch, or with the running ones, `name/mean` and `name/variance`. An ensemble has all of them per member and maps
 * [E, B, D], or one [B, D] for all, to [E, B, D].
 */
export function batchNorm(name: string, size: number, ensemble?: number): Layer {
  const shape = ensemble === undefined ? [1, size] : [ensemble, 1, size]
  const [scale, offset, mean, variance] = ['scale', 'offset', 'mean', 'variance'].map((part) => `${name}/${part}`)
  return {
    parameters: [
      { name: scale!, shape, init: constant(1) },
      { name: offset!, shape, init: zeros },
    ],
    statistics: [
      { name: mean!, shape, init: zeros },
      { name: variance!, shape, init: constant(1) },
    ],
    apply: (weights, x, batch) => {
      const input = forEach(ensemble, x)
      const normal = (): tf.Tensor => {
        if (batch === undefined) {
          return tf.div(tf.sub(input, weights[mean!]!), tf.sqrt(tf.add(weights[variance!]!, BATCH_NORM_EPSILON)))
        }
        const centre = tf.mean(input, -2, true)
        batch[mean!] = centre
        batch[variance!] = tf.mean(tf.square(tf.sub(input, centre)), -2, true)
        return standardize(input, -2, BATCH_NORM_EPSILON)
      }
      return tf.add(tf.mul(normal(), weights[scale!]!), weights[offset!]!)
    },
  }
}

/** (x - mean) / std over `axis`, with the closed-form gradient (seven ops instead of the sixteen of autodiff). */
function standardize(x: tf.Tensor, axis: number, epsilon: number): tf.Tensor {
  return tf.customGrad((input, save) => {
    const centred = tf.sub(input as tf.Tensor, tf.mean(input as tf.Tensor, axis, true))
    const variance = tf.mean(tf.square(centred), axis, true)
    const inverseStd = tf.div(1, tf.sqrt(tf.add(variance, epsilon)))
    const value = tf.mul(centred, inverseStd)
    ;(save as tf.GradSaveFunc)([value, inverseStd])
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [y, scale] = saved as [tf.Tensor, tf.Tensor]
      const alongY = tf.mul(y, tf.mean(tf.mul(dy, y), axis, true))
      return tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, axis, true)), alongY), scale)
    }
    return { value, gradFunc }
  })(x)
}

/** A layer without weights, e.g. `activation(tf.relu)`. */
export function activation(fn: (x: tf.Tensor) => tf.Tensor): Layer {
  return { parameters: [], apply: (_weights, x) => fn(x) }
}

/** One layer after the other. */
export function sequential(layers: readonly Layer[]): Layer {
  return {
    parameters: layers.flatMap(({ parameters }) => parameters),
    statistics: layers.flatMap(({ statistics = [] }) => statistics),
    apply: (weights, x, batch) => layers.reduce((value, layer) => layer.apply(weights, value, batch), x),
  }
}

/** The same layer with weights of its own, `scope/name` for each `name`: for a second network of one kind. */
export function scoped(scope: string, layer: Layer): Layer {
  const { parameters, statistics = [] } = layer
  const inScope = (specs: readonly ParameterSpec[]): ParameterSpec[] =>
    specs.map((spec) => ({ ...spec, name: `${scope}/${spec.name}` }))
  const names = [...parameters, ...statistics].map(({ name }) => name)
  return {
    parameters: inScope(parameters),
    statistics: inScope(statistics),
    apply: (weights, x, batch) => {
      const own: Record<string, tf.Tensor> = {}
      const ownWeights = Object.fromEntries(names.map((name) => [name, weights[`${scope}/${name}`]!]))
      const y = layer.apply(ownWeights, x, batch && own)
      for (const [name, tensor] of Object.entries(own)) batch![`${scope}/${name}`] = tensor
      return y
    },
  }
}

export interface MlpOptions {
  readonly inputSize: number
  readonly hiddenSizes: readonly number[]
  readonly outputSize: number
  /** After each hidden layer, default `tf.relu`. */
  readonly nonlinearity?: (x: tf.Tensor) => tf.Tensor
  /** `layer`: {@link layerNorm} between each hidden layer and its nonlinearity; `batch`: {@link batchNorm} of what each dense layer is given. */
  readonly norm?: 'none' | 'layer' | 'batch'
  /** Of the output layer, default orthogonal with gain 1. */
  readonly outputInit?: Initializer
  /** Number of independent copies in one batched net, see {@link dense}. */
  readonly ensemble?: number
}

/** Dense layers `name/hidden0`, `name/hidden1`, ... and a linear `name/output`: [B, in] -> [B, out], or [E, B, out]. */
export function mlp(name: string, options: MlpOptions): Layer {
  const { hiddenSizes, outputSize, ensemble, norm = 'none' } = options
  const members = ensemble === undefined ? {} : { ensemble }
  let inputSize = options.inputSize
  const layers: Layer[] = norm === 'batch' ? [batchNorm(`${name}/input`, inputSize, ensemble)] : []
  hiddenSizes.forEach((size, index) => {
    layers.push(dense(`${name}/hidden${index}`, { inputSize, outputSize: size, ...members }))
    if (norm === 'layer') layers.push(layerNorm(`${name}/norm${index}`, size, ensemble))
    layers.push(activation(options.nonlinearity ?? tf.relu))
    if (norm === 'batch') layers.push(batchNorm(`${name}/norm${index}`, size, ensemble))
    inputSize = size
  })
  const kernelInit = options.outputInit ?? orthogonal()
  layers.push(dense(`${name}/output`, { inputSize, outputSize, kernelInit, ...members }))
  return sequential(layers)
}

export interface ConvOptions {
  readonly inputChannels: number
  readonly outputChannels: number
  /** Side of the square filter. */
  readonly kernelSize: number
  /** Default 1. */
  readonly stride?: number
  /** Default `same`: output side ceil(input / stride), for a transposed convolution input * stride. */
  readonly padding?: 'same' | 'valid'
  /** Default: orthogonal with the gain of a ReLU. */
  readonly kernelInit?: Initializer
  /** Default: zeros. */
  readonly biasInit?: Initializer
}

/** Convolution [B, H, W, in] -> [B, H', W', out], weights `name/kernel` [k, k, in, out] and `name/bias` [out]. */
export function conv2d(name: string, options: ConvOptions): Layer {
  const { inputChannels, outputChannels, kernelSize, stride = 1, padding = 'same' } = options
  return {
    parameters: convParameters(name, [kernelSize, kernelSize, inputChannels, outputChannels], options),
    apply: (weights, x) => {
      const y = tf.conv2d(x as tf.Tensor4D, weights[`${name}/kernel`] as tf.Tensor4D, stride, padding)
      return tf.add(y, weights[`${name}/bias`]!)
    },
  }
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Rows and columns at the far borders that no tap of the kernel reaches, fewer than the stride: the bias alone. Default: none. */
  readonly outputPadding?: readonly [rows: number, columns: number]
}

/**
 * Transposed convolution [B, H, W, in] -> [B, H', W', out], weights `name/kernel` [k, k, out, in] and `name/bias` [out]:
 * H' = H * stride with `same`, (H - 1) * stride + k with `valid` padding, and `outputPadding` more.
 */
export function conv2dTranspose(name: string, options: ConvTransposeOptions): Layer {
  const { inputChannels, outputChannels, kernelSize, stride = 1, padding = 'same', outputPadding = [0, 0] } = options
  const outputSide = (side: number): number => (padding === 'same' ? side * stride : (side - 1) * stride + kernelSize)
  return {
    parameters: convParameters(name, [kernelSize, kernelSize, outputChannels, inputChannels], options),
    apply: (weights, x) => {
      const [batch, height, width] = x.shape as [number, number, number]
      const outputShape: [number, number, number, number] = [
        batch,
        outputSide(height) + outputPadding[0],
        outputSide(width) + outputPadding[1],
        outputChannels,
      ]
      const kernel = weights[`${name}/kernel`] as tf.Tensor4D
      const y = tf.conv2dTranspose(x as tf.Tensor4D, kernel, outputShape, stride, padding)
      return tf.add(y, weights[`${name}/bias`]!)
    },
  }
}

function convParameters(name: string, shape: readonly number[], options: ConvOptions): readonly ParameterSpec[] {
  return [
    { name: `${name}/kernel`, shape, init: options.kernelInit ?? orthogonal(RELU_GAIN) },
    { name: `${name}/bias`, shape: [options.outputChannels], init: options.biasInit ?? zeros },
  ]
}

/** A softmax of features of order one over hundreds of positions is nearly flat: without this, no channel points anywhere. */
const INITIAL_SHARPNESS = 10

/**
 * Spatial soft-arg-max (Levine et al. 2016; Finn et al. 2016): where each channel is active, [B, H, W, C] -> [B, 2 C], the
 * expected (x, y) in [-1, 1] under a softmax over positions of the feature map times the learned `name/sharpness` [1]. With
 * `strengths` [B, 3 C]: after them the features themselves that are expected there, which say what it is that is there.
 */
export function spatialSoftArgmax(
  name: string,
  height: number,
  width: number,
  { strengths = false }: { readonly strengths?: boolean } = {},
): Layer {
  const sharpness = `${name}/sharpness`
  const grid = coordinateGrid(height, width)
  return {
    parameters: [{ name: sharpness, shape: [1], init: constant(INITIAL_SHARPNESS) }],
    apply: (weights, x) => {
      const [batch, , , channels] = x.shape as [number, number, number, number]
      const byChannel = tf.transpose(tf.reshape(x, [batch, height * width, channels]), [0, 2, 1]) // [B, C, HW]
      const attention = tf.softmax(tf.mul(byChannel, weights[sharpness]!)) // [B, C, HW]
      const flat = tf.reshape(attention, [batch * channels, height * width])
      const places = tf.reshape(tf.matMul(flat, tf.tensor2d(grid, [height * width, 2])), [batch, 2 * channels])
      return strengths ? tf.concat([places, tf.sum(tf.mul(attention, byChannel), 2)], 1) : places
    },
  }
}

export interface SpatialBroadcastOptions {
  readonly inputSize: number
  readonly outputChannels: number
  readonly height: number
  readonly width: number
}

/**
 * The first layer of a spatial broadcast decoder (Watters et al. 2019): every position of a map sees the same vector and its own
 * coordinates (x, y) in [-1, 1]: [B, in] -> [B, H, W, out], z V + (x, y) U + b. What follows works position by position (1x1
 * convolutions), so moving a thing means shifting a function of x and y, not rewriting the map.
 */
export function spatialBroadcast(name: string, options: SpatialBroadcastOptions): Layer {
  const { inputSize, outputChannels, height, width } = options
  const grid = coordinateGrid(height, width)
  const vector = dense(`${name}/vector`, { inputSize, outputSize: outputChannels })
  const coordinates = `${name}/coordinates`
  return {
    parameters: [...vector.parameters, { name: coordinates, shape: [2, outputChannels], init: orthogonal(RELU_GAIN) }],
    apply: (weights, z) => {
      const seen = tf.reshape(vector.apply(weights, z), [z.shape[0]!, 1, 1, outputChannels])
      const place = tf.matMul(tf.tensor2d(grid, [height * width, 2]), weights[coordinates]!) // [HW, out]
      return tf.add(seen, tf.reshape(place, [1, height, width, outputChannels])) // [B, H, W, out]
    },
  }
}

/** (x, y) of each position of a map in rows from the top left, from -1 to 1 (0 where there is just one), [height * width, 2]. */
function coordinateGrid(height: number, width: number): Float32Array {
  const grid = new Float32Array(height * width * 2)
  const coordinate = (index: number, count: number): number => (count === 1 ? 0 : (2 * index) / (count - 1) - 1)
  for (let i = 0; i < height * width; i++) {
    grid[2 * i] = coordinate(i % width, width)
    grid[2 * i + 1] = coordinate(Math.floor(i / width), height)
  }
  return grid
}
