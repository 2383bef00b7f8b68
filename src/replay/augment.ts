import { ArmatureError } from '../core/errors.ts'
import type { Rng } from '../core/rng.ts'
import { sizeOf } from '../core/ndarray.ts'
import { blurFrame, cropFrame, fillRectangle, flipFrame, shiftFrame, zoomFrame } from './augment-kernels.ts'
import type { ColorAugmentation } from './augment-color.ts'
import { colorStage, isColor } from './augment-color.ts'
import type { Stage } from './augment-stage.ts'
import { chance, requireRange } from './augment-stage.ts'
import type { FrameShape } from '../core/frame-fit.ts'

/** Moves the picture by up to `maxPixels` in both directions; borders are repeated (DrQ uses 4 of 84). */
export interface ShiftAugmentation {
  readonly kind: 'shift'
  readonly maxPixels: number
}

/** Cuts out a window of that size: the frames become smaller (CURL cuts 84 of 100). */
export interface CropAugmentation {
  readonly kind: 'crop'
  readonly height: number
  readonly width: number
}

/** Cuts out a window of the frame's proportions with at least `minArea` (0..1] of its area, and enlarges it to the whole frame. */
export interface ZoomAugmentation {
  readonly kind: 'zoom'
  readonly minArea: number
}

/** Mirrors every other frame, or as many as `probability` says. */
export interface FlipAugmentation {
  readonly kind: 'flip'
  readonly axis: 'horizontal' | 'vertical'
  /** Default 0.5. */
  readonly probability?: number
}

/** Gaussian blur with a standard deviation drawn between the bounds. */
export interface BlurAugmentation {
  readonly kind: 'blur'
  readonly minSigmaPixels: number
  readonly maxSigmaPixels: number
  /** Default 1. */
  readonly probability?: number
}

/** Paints over one square, centred anywhere in the frame and clipped to it (DeVries and Taylor 2017). */
export interface CutoutAugmentation {
  readonly kind: 'cutout'
  readonly sizePixels: number
  /** 0..255 of all channels; default 0. */
  readonly value?: number
  /** Default 1. */
  readonly probability?: number
}

/** Paints over each patch of a grid with probability `ratio`: the corruption of a denoising autoencoder. */
export interface MaskAugmentation {
  readonly kind: 'mask'
  readonly patchPixels: number
  readonly ratio: number
  /** 0..255 of all channels; default 0. */
  readonly value?: number
}

/** A random change of frames; plain data, so that it can stand in a config file. */
export type Augmentation =
  | ShiftAugmentation
  | CropAugmentation
  | ZoomAugmentation
  | FlipAugmentation
  | BlurAugmentation
  | CutoutAugmentation
  | MaskAugmentation
  | ColorAugmentation

/**
 * Random changes of uint8 frames, one after the other. Changes of colour that follow each other are made in one pass, in which only the
 * last result is clamped to 0..255. Nothing is allocated per frame.
 *
 * @example
 * const augmenter = new Augmenter([{ kind: 'shift', maxPixels: 4 }, { kind: 'hue', maxDeg: 20 }], [48, 48, 3])
 * augmenter.apply(frames, 64, rng)
 */
export class Augmenter {
  /** [height, width, channels] of what comes out: other than what goes in after a crop. */
  readonly outputShape: FrameShape
  readonly #inputShape: FrameShape
  readonly #stages: readonly Stage[]

  /** @throws ArmatureError `bad-argument` for values out of range; `bad-shape` for colours of frames that are not RGB. */
  constructor(augmentations: readonly Augmentation[], inputShape: FrameShape) {
    const stages: Stage[] = []
    let shape = inputShape
    for (let i = 0; i < augmentations.length;) {
      const colors = leadingColors(augmentations.slice(i))
      const stage = colors.length > 0 ? colorStage(colors, shape) : geometricStage(augmentations[i]!, shape)
      stages.push(stage)
      shape = stage.outputShape
      i += Math.max(1, colors.length)
    }
    this.#inputShape = inputShape
    this.#stages = stages
    this.outputShape = shape
  }

  /**
   * Changes `frames` [count, height, width, channels] in place and returns those of its bytes that hold the result. Each `group` of
   * consecutive frames gets the same random numbers; default: every frame its own.
   * @throws ArmatureError `bad-shape` when the frames are not `count` of the shape given, or not whole groups.
   */
  apply(frames: Uint8Array, count: number, rng: Rng, group = 1): Uint8Array {
    if (frames.length !== count * sizeOf(this.#inputShape) || count % group !== 0) {
      throw new ArmatureError('bad-shape', 'frames to augment', {
        expected: `${count} of [${this.#inputShape.join(', ')}], in groups of ${group}`,
        got: `${frames.length} bytes`,
      })
    }
    let size = sizeOf(this.#inputShape)
    for (const stage of this.#stages) {
      const outputSize = sizeOf(stage.outputShape)
      for (let frame = 0; frame < count; frame++) {
        if (frame % group === 0) stage.draw(rng)
        stage.apply(frames, frame * size, frame * outputSize)
      }
      size = outputSize
    }
    return size === sizeOf(this.#inputShape) ? frames : frames.subarray(0, count * size)
  }
}

function leadingColors(augmentations: readonly Augmentation[]): readonly ColorAugmentation[] {
  const end = augmentations.findIndex((augmentation) => !isColor(augmentation))
  return augmentations.slice(0, end < 0 ? augmentations.length : end).filter((augmentation) => isColor(augmentation))
}

function geometricStage(augmentation: Augmentation, shape: FrameShape): Stage {
  switch (augmentation.kind) {
    case 'shift':
      return shiftStage(augmentation, shape)
    case 'crop':
      return cropStage(augmentation, shape)
    case 'zoom':
      return zoomStage(augmentation, shape)
    case 'flip':
      return flipStage(augmentation, shape)
    case 'blur':
      return blurStage(augmentation, shape)
    case 'cutout':
      return cutoutStage(augmentation, shape)
    case 'mask':
      return maskStage(augmentation, shape)
    default:
      throw new ArmatureError('bad-argument', 'augmentation', {
        expected: 'kind shift, crop, zoom, flip, blur, cutout, mask or one of colours',
        got: JSON.stringify(augmentation),
      })
  }
}

function sizeOfFrame([height, width, channels]: FrameShape): { height: number; width: number; channels: number } {
  return { height, width, channels }
}

function shiftStage({ maxPixels }: ShiftAugmentation, shape: FrameShape): Stage {
  requireRange('shift: maxPixels', maxPixels, 0, Math.min(shape[0], shape[1]), true)
  const size = sizeOfFrame(shape)
  const shift = { right: 0, down: 0 }
  return {
    outputShape: shape,
    draw: (rng) => {
      shift.right = rng.int(2 * maxPixels + 1) - maxPixels
      shift.down = rng.int(2 * maxPixels + 1) - maxPixels
    },
    apply: (frames, start) => shiftFrame(frames, start, size, shift),
  }
}

function cropStage({ height, width }: CropAugmentation, shape: FrameShape): Stage {
  requireRange('crop: height', height, 1, shape[0], true)
  requireRange('crop: width', width, 1, shape[1], true)
  const size = sizeOfFrame(shape)
  const crop = { left: 0, top: 0, width, height }
  return {
    outputShape: [height, width, shape[2]],
    draw: (rng) => {
      crop.top = rng.int(shape[0] - height + 1)
      crop.left = rng.int(shape[1] - width + 1)
    },
    apply: (frames, from, to) => cropFrame(frames, from, to, size, crop),
  }
}

function zoomStage({ minArea }: ZoomAugmentation, shape: FrameShape): Stage {
  requireRange('zoom: minArea', minArea, 1e-3, 1)
  const size = sizeOfFrame(shape)
  const crop = { left: 0, top: 0, width: 0, height: 0 }
  const scratch = new Float32Array(sizeOf(shape))
  return {
    outputShape: shape,
    draw: (rng) => {
      const side = Math.sqrt(rng.uniform(minArea, 1))
      crop.height = side * size.height
      crop.width = side * size.width
      crop.top = rng.uniform(0, size.height - crop.height)
      crop.left = rng.uniform(0, size.width - crop.width)
    },
    apply: (frames, start) => zoomFrame(frames, start, size, crop, scratch),
  }
}

function flipStage({ axis, probability = 0.5 }: FlipAugmentation, shape: FrameShape): Stage {
  requireRange('flip: probability', probability, 0, 1)
  const size = sizeOfFrame(shape)
  let isFlipped = false
  return {
    outputShape: shape,
    draw: (rng) => {
      isFlipped = chance(rng, probability)
    },
    apply: (frames, start) => {
      if (isFlipped) flipFrame(frames, start, size, axis)
    },
  }
}

function blurStage(augmentation: BlurAugmentation, shape: FrameShape): Stage {
  const { minSigmaPixels, maxSigmaPixels, probability = 1 } = augmentation
  requireRange('blur: maxSigmaPixels', maxSigmaPixels, 0, 20)
  requireRange('blur: minSigmaPixels', minSigmaPixels, 0, maxSigmaPixels)
  requireRange('blur: probability', probability, 0, 1)
  const size = sizeOfFrame(shape)
  const scratch = new Float32Array(sizeOf(shape))
  const kernel = new Float32Array(Math.ceil(3 * maxSigmaPixels) + 2)
  let sigma = 0
  return {
    outputShape: shape,
    draw: (rng) => {
      const drawn = rng.uniform(minSigmaPixels, maxSigmaPixels)
      sigma = chance(rng, probability) ? drawn : 0
    },
    apply: (frames, start) => blurFrame(frames, start, size, sigma, scratch, kernel),
  }
}

function cutoutStage({ sizePixels, value = 0, probability = 1 }: CutoutAugmentation, shape: FrameShape): Stage {
  requireRange('cutout: sizePixels', sizePixels, 0, Math.max(shape[0], shape[1]), true)
  requireRange('cutout: value', value, 0, 255, true)
  requireRange('cutout: probability', probability, 0, 1)
  const size = sizeOfFrame(shape)
  const box = { left: 0, top: 0, width: sizePixels, height: sizePixels }
  let isCut = false
  return {
    outputShape: shape,
    draw: (rng) => {
      isCut = chance(rng, probability)
      box.top = rng.int(size.height) - (sizePixels >> 1)
      box.left = rng.int(size.width) - (sizePixels >> 1)
    },
    apply: (frames, start) => {
      if (isCut) fillRectangle(frames, start, size, box, value)
    },
  }
}

function maskStage({ patchPixels, ratio, value = 0 }: MaskAugmentation, shape: FrameShape): Stage {
  requireRange('mask: patchPixels', patchPixels, 1, Math.max(shape[0], shape[1]), true)
  requireRange('mask: ratio', ratio, 0, 1)
  requireRange('mask: value', value, 0, 255, true)
  const size = sizeOfFrame(shape)
  const columns = Math.ceil(size.width / patchPixels)
  const masked = new Uint8Array(columns * Math.ceil(size.height / patchPixels))
  const box = { left: 0, top: 0, width: patchPixels, height: patchPixels }
  return {
    outputShape: shape,
    draw: (rng) => {
      for (let patch = 0; patch < masked.length; patch++) masked[patch] = chance(rng, ratio) ? 1 : 0
    },
    apply: (frames, start) => {
      for (let patch = 0; patch < masked.length; patch++) {
        if (masked[patch] === 0) continue
        box.left = (patch % columns) * patchPixels
        box.top = Math.floor(patch / columns) * patchPixels
        fillRectangle(frames, start, size, box, value)
      }
    },
  }
}
