import type { InputShape, InputSpec } from '../../src/core/encoder-input.ts'
import { isStackShape, isVectorShape, SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { Layer } from '../../src/tensor/layers.ts'
import { activation, mlp, sequential } from '../../src/tensor/layers.ts'
import { tf } from '../../src/tensor/tf.ts'
import { scaledFrames } from './frames.ts'
import type { FrameInput, PixelTrunkOptions } from './pixel-trunk.ts'
import { pixelTrunk } from './pixel-trunk.ts'

/** What {@link inputTrunk} is made of. */
export interface InputTrunkOptions extends Omit<PixelTrunkOptions, 'size'> {
  readonly latentSize: number
  /** Of vectors: units of each hidden layer; absent: two of `latentSize`. */
  readonly vectorUnits?: readonly number[] | undefined
}

/** A trunk, and what an encoder says of the inputs that it looks at. */
export interface InputTrunk {
  readonly input: Pick<InputSpec, 'frameShape' | 'isVector' | 'window' | 'takesContext'>
  /** Raw inputs [B, ...] -> [B, latentSize]; frames are scaled inside. */
  readonly network: Layer
}

/**
 * The trunk for inputs of a shape: {@link pixelTrunk} for uint8 frames; for float32 vectors hidden ReLU layers and a linear one, without
 * normalisation (Kemertas & Aumentado-Armstrong 2021, whose layers are leaky: nothing bounds the latents).
 * @throws ArmatureError as {@link pixelTrunk}
 */
export function inputTrunk(shape: InputShape, options: InputTrunkOptions): InputTrunk {
  const { latentSize: size, filters, layers, readout, vectorUnits = [size, size] } = options
  if (!isVectorShape(shape)) {
    const network = sequential([activation(scaledFrames), pixelTrunk(shape, { filters, layers, readout, size })])
    return { input: frameInput(shape), network }
  }
  const [inputSize] = shape
  const rows = activation((x) => tf.reshape(x, [-1, inputSize]))
  const network = sequential([rows, mlp('encoder', { inputSize, hiddenSizes: vectorUnits, outputSize: size })])
  return { input: { ...frameInput([1, 1, inputSize]), isVector: true }, network }
}

/** What an encoder says of inputs that are frames of that shape. */
export function frameInput(shape: FrameInput): InputTrunk['input'] {
  if (!isStackShape(shape)) return { frameShape: shape, window: SINGLE_FRAME, takesContext: false }
  const [frames, ...frameShape] = shape
  return { frameShape, window: { frames, stride: 1 }, takesContext: false }
}
