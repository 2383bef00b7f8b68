import type { Encoder, EncoderSpec } from '../core/encoder.ts'
import { inputShape } from '../core/encoder-input.ts'
import { ArmatureError } from '../core/errors.ts'
import type { FrameFit } from '../core/frame-fit.ts'
import { changesFrames } from '../core/frame-fit.ts'
import { fitTensor } from '../tensor/fit-tensor.ts'
import { tf } from '../tensor/tf.ts'
import { isExportableEncoder } from './scaled-encoder.ts'

/** An input or output of a graph, row-major. */
export interface PortSpec {
  readonly dtype: 'float32' | 'uint8'
  readonly shape: readonly number[]
  readonly names?: readonly string[]
  readonly meaning: string
}

/** What a graph is fed, by name. */
export type GraphInputs = Readonly<Record<string, tf.Tensor>>

/** An encoder as functions of tensors, from the raw frames of a camera, which it fits itself, to latents [1, latentSize]. */
export interface EncoderGraph {
  /** `frame`, and `start` where the encoder takes it. */
  readonly inputs: Readonly<Record<string, PortSpec>>
  /** The port `goal`. */
  readonly goal: PortSpec
  readonly latent: (inputs: GraphInputs) => tf.Tensor
  /** Of `goal`, and `start` where the encoder takes it. */
  readonly goalLatent: (inputs: GraphInputs) => tf.Tensor
}

/** @throws ArmatureError `bad-config` for an encoder whose latents are no function of tensors. */
export function encoderGraph(encoder: Encoder, camera: string, fit: FrameFit): EncoderGraph {
  if (!isExportableEncoder(encoder)) {
    throw new ArmatureError('bad-config', `encoder ${encoder.spec.name}`, { got: 'nothing to export' })
  }
  const { window, takesContext } = encoder.spec
  const port = (meaning: string): PortSpec => ({
    dtype: 'uint8',
    shape: [1, ...fit.from],
    meaning: `${meaning}${fitText(fit)}`,
  })
  const seen = (frames: tf.Tensor): tf.Tensor => fitTensor(frames, fit)
  const context = (inputs: GraphInputs) => (takesContext ? { context: seen(inputs.start!) } : {})
  const still = (frame: tf.Tensor): tf.Tensor =>
    window.frames === 1 ? frame : tf.tile(tf.expandDims(frame, 1), [1, window.frames, 1, 1, 1])
  return {
    inputs: {
      frame: framePort(camera, fit, window),
      ...(takesContext && { start: port(`RGB frame of camera ${camera} that the episode began with`) }),
    },
    goal: port('RGB frame of the goal'),
    latent: (inputs) => encoder.latentFunction({ frames: seen(inputs.frame!), ...context(inputs) }),
    goalLatent: (inputs) => {
      // A goal is a window in which nothing moves.
      const shown = { frames: still(seen(inputs.goal!)), ...context(inputs) }
      return encoder.goalFunction?.(shown) ?? encoder.latentFunction(shown)
    },
  }
}

/** What the camera sees, [1, height, width, channels], or a window of it, [1, frames, height, width, channels]. */
export function framePort(camera: string, fit: FrameFit, window: EncoderSpec['window']): PortSpec {
  const { frames, stride } = window
  const steps = `frames of camera ${camera}, ${stride} control steps apart, the newest last; the first of the episode stands for those before it`
  const meaning = frames === 1 ? `RGB frame of camera ${camera}, row-major` : `RGB ${steps}`
  const shape = [1, ...inputShape({ frameShape: fit.from, window })]
  return { dtype: 'uint8', shape, meaning: `${meaning}${fitText(fit)}` }
}

/** What happens to a frame within the graph. */
function fitText(fit: FrameFit): string {
  if (!changesFrames(fit)) return ''
  const part = fit.crop === undefined ? '' : `cut to [${fit.crop.join(', ')}] (top, left, height, width) and `
  return `; raw: the graph itself has it ${part}averaged to ${fit.to.slice(0, 2).join('x')}`
}
