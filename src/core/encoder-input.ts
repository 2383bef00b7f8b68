import { ArmatureError } from './errors.ts'
import { sizeOf } from './ndarray.ts'

/** uint8 frames that are seen at once, the oldest first, so that motion is seen. */
export type StackShape = readonly [frames: number, height: number, width: number, channels: number]

/** What an encoder or a feature network looks at, without its rows: a uint8 frame [height, width, channels], several, or a float32 vector [size]. */
export type InputShape =
  readonly [height: number, width: number, channels: number] | StackShape | readonly [size: number]

export function isVectorShape(shape: InputShape): shape is readonly [size: number] {
  return shape.length === 1
}

export function isStackShape(shape: InputShape): shape is StackShape {
  return shape.length === 4
}

/** Frames are uint8, vectors float32. */
export type InputData = Uint8Array | Float32Array

/** What an encoder is given to encode: `count` observations, row by row; `EncoderInput<Float32Array>` of vectors. */
export interface EncoderInput<T extends InputData = Uint8Array> {
  readonly count: number
  /**
   * uint8 [count, height, width, channels]; for an encoder whose window has F > 1 frames [count, F, height, width, channels], the oldest
   * frame first. For an encoder of vectors float32 [count, size].
   */
  readonly frames: T
  /** First frame of the episode of each row, uint8 [count, height, width, channels]: where `spec.takesContext`. */
  readonly context?: Uint8Array
}

/** The frames that make one input: those at t, t - stride, t - 2 stride, ... */
export interface FrameWindow {
  /** 1: the moment's own frame alone. */
  readonly frames: number
  /** Control steps from one to the next. */
  readonly stride: number
}

/** The window of an encoder that looks at single frames. */
export const SINGLE_FRAME: FrameWindow = { frames: 1, stride: 1 }

/** What one input of an encoder is. */
export interface InputSpec {
  /** Registered name of the encoder, e.g. `beta-vae`. */
  readonly name: string
  /** [height, width, channels] of each frame; [1, 1, size] of vectors. */
  readonly frameShape: readonly [height: number, width: number, channels: number]
  /** Whether it looks at float32 vectors instead of uint8 frames; default false. */
  readonly isVector?: boolean
  readonly window: FrameWindow
  /** Whether the first frame of its episode stands beside each input. */
  readonly takesContext: boolean
}

/** One input without its rows: [height, width, channels], or [frames, height, width, channels] for a window above 1. */
export function inputShape({ frameShape, window }: Pick<InputSpec, 'frameShape' | 'window'>): readonly number[] {
  return window.frames === 1 ? frameShape : [window.frames, ...frameShape]
}

/**
 * Writes the frames of a window that ends at `time` behind each other, the oldest first, to `target` from `offset` on. Before its start an
 * episode stands still: its first frame is repeated.
 * @param frameAt frame [height, width, channels] of an observation of the episode, by its time
 */
export function writeWindow(
  { frames, stride }: FrameWindow,
  time: number,
  frameAt: (time: number) => Uint8Array,
  target: Uint8Array,
  offset = 0,
): void {
  for (let back = frames - 1, at = offset; back >= 0; back--) {
    const frame = frameAt(Math.max(0, time - back * stride))
    target.set(frame, at)
    at += frame.length
  }
}

/**
 * The input of an encoder for observations `times`, one row each: the window that ends there and, where the encoder takes it, the first
 * frame of the episode. A window that reaches back beyond the start of its episode repeats the first frame.
 * @param frameAt frame [height, width, channels] of observation `time` in the episode of `row`; it is copied
 */
export function encoderInput(
  { frameShape, window, takesContext }: InputSpec,
  times: ArrayLike<number>,
  frameAt: (row: number, time: number) => Uint8Array,
): EncoderInput {
  const count = times.length
  const size = sizeOf(frameShape)
  const frames = new Uint8Array(count * window.frames * size)
  const context = new Uint8Array(takesContext ? count * size : 0)
  for (let row = 0; row < count; row++) {
    writeWindow(window, times[row]!, (time) => frameAt(row, time), frames, row * window.frames * size)
    if (takesContext) context.set(frameAt(row, 0), row * size)
  }
  return takesContext ? { count, frames, context } : { count, frames }
}

/**
 * The input for a picture of a goal [height, width, channels]: a window in which nothing moves.
 * @param start first frame of the episode that the goal is for
 * @throws ArmatureError `bad-argument` where the encoder takes context and there is no `start`.
 */
export function goalInput(spec: InputSpec, goal: Uint8Array, start: Uint8Array | undefined): EncoderInput {
  const frames = new Uint8Array(spec.window.frames * goal.length)
  for (let at = 0; at < frames.length; at += goal.length) frames.set(goal, at)
  if (!spec.takesContext) return { count: 1, frames }
  if (start === undefined) {
    throw new ArmatureError('bad-argument', `goal for encoder ${spec.name}`, {
      expected: 'the first frame of the episode beside it',
      fix: 'ask for the goal after the first observation of the episode',
    })
  }
  return { count: 1, frames, context: start }
}

/**
 * Checks the input of an encoder.
 * @throws ArmatureError `bad-shape` for frames or context of another size, `bad-argument` where context is missing.
 */
export function checkInput(spec: InputSpec, { count, frames, context }: EncoderInput<InputData>): void {
  const { name, frameShape, takesContext } = spec
  requireInput(spec, frames, [count, ...inputShape(spec)])
  if (!takesContext) return
  if (context === undefined) {
    throw new ArmatureError('bad-argument', `${name} context`, {
      expected: 'the first frame of the episode of each row',
    })
  }
  requireBytes(`${name} context`, context, [count, ...frameShape])
}

/** @throws ArmatureError `bad-shape` unless `data` holds `shape`, in the type of the inputs of `spec`. */
export function requireInput(
  { name, isVector = false }: Pick<InputSpec, 'name' | 'isVector'>,
  data: InputData,
  shape: readonly number[],
): void {
  if (data instanceof Float32Array === isVector && data.length === sizeOf(shape)) return
  throw new ArmatureError('bad-shape', `${name} ${isVector ? 'vectors' : 'frames'}`, {
    expected: `${isVector ? 'float32' : 'uint8'} [${shape.join(', ')}]`,
    got: data instanceof Float32Array ? `${data.length} float32 numbers` : `${data.length} bytes`,
  })
}

/** @throws ArmatureError `bad-shape` unless `data` holds `shape`. */
export function requireBytes(what: string, data: Uint8Array, shape: readonly number[]): void {
  if (data.length === sizeOf(shape)) return
  throw new ArmatureError('bad-shape', what, {
    expected: `uint8 [${shape.join(', ')}]`,
    got: `${data.length} bytes`,
  })
}
