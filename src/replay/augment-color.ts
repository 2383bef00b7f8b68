import { ArmatureError } from '../core/errors.ts'
import { sizeOf } from '../core/ndarray.ts'
import type { Rng } from '../core/rng.ts'
import type { ColorMap } from './augment-kernels.ts'
import {
  applyColor,
  meanColor,
  resetColor,
  rotateHue,
  scaleBrightness,
  scaleContrast,
  scaleSaturation,
} from './augment-kernels.ts'
import type { Stage } from './augment-stage.ts'
import { chance, requireRange } from './augment-stage.ts'
import type { FrameShape } from '../core/frame-fit.ts'

/** Turns hues about the grey axis by an angle up to `maxDeg` either way. */
export interface HueAugmentation {
  readonly kind: 'hue'
  readonly maxDeg: number
  /** Default 1. */
  readonly probability?: number
}

/**
 * Multiplies by a factor from 1 - `range` to 1 + `range`: all of a colour (brightness), its distance from the mean grey of the frame
 * (contrast), or its distance from its own grey (saturation).
 */
export interface FactorAugmentation {
  readonly kind: 'brightness' | 'contrast' | 'saturation'
  readonly range: number
  /** Default 1. */
  readonly probability?: number
}

/** Takes the colours away (luma of ITU-R BT.601). */
export interface GreyAugmentation {
  readonly kind: 'grey'
  /** Default 1. */
  readonly probability?: number
}

/** Changes that map each colour on its own. */
export type ColorAugmentation = HueAugmentation | FactorAugmentation | GreyAugmentation

const KINDS: ReadonlySet<string> = new Set(['hue', 'brightness', 'contrast', 'saturation', 'grey'])
/** Keeps factors of a composed map within what the integers of the kernel hold. */
const MAX_COLORS = 5

export function isColor(augmentation: { readonly kind: string }): augmentation is ColorAugmentation {
  return KINDS.has(augmentation.kind)
}

/** All of `colors` in one pass over the pixels. @throws ArmatureError as the constructor of the augmenter. */
export function colorStage(colors: readonly ColorAugmentation[], shape: FrameShape): Stage {
  colors.forEach(checkColor)
  if (colors.length > MAX_COLORS) {
    throw new ArmatureError('bad-argument', 'augmentations of colour in a row', {
      expected: `at most ${MAX_COLORS}`,
      got: String(colors.length),
    })
  }
  if (shape[2] % 3 !== 0) {
    throw new ArmatureError('bad-shape', 'augmentation of colour', {
      expected: 'RGB frames',
      got: `${shape[2]} channels`,
    })
  }
  const length = sizeOf(shape)
  const needsMean = colors.some(({ kind }) => kind === 'contrast')
  const values = new Float64Array(colors.length)
  const map = new Float64Array(12)
  const mean = new Float64Array(3)
  return {
    outputShape: shape,
    draw: (rng) => {
      colors.forEach((color, i) => {
        values[i] = drawValue(color, rng)
      })
    },
    apply: (frames, start) => {
      resetColor(map)
      if (needsMean) meanColor(frames, start, length, mean)
      for (let i = 0; i < colors.length; i++) compose(map, colors[i]!.kind, values[i]!, mean)
      applyColor(frames, start, length, map)
    },
  }
}

function checkColor(color: ColorAugmentation): void {
  requireRange(`${color.kind}: probability`, color.probability ?? 1, 0, 1)
  if (color.kind === 'hue') requireRange('hue: maxDeg', color.maxDeg, 0, 180)
  else if (color.kind !== 'grey') requireRange(`${color.kind}: range`, color.range, 0, 1)
}

/** The angle in radians or the factor; the one that changes nothing where the augmentation is not applied this time. */
function drawValue(color: ColorAugmentation, rng: Rng): number {
  const isApplied = chance(rng, color.probability ?? 1)
  if (color.kind === 'grey') return isApplied ? 0 : 1
  if (color.kind === 'hue') {
    const angleDeg = rng.uniform(-color.maxDeg, color.maxDeg)
    return isApplied ? (angleDeg * Math.PI) / 180 : 0
  }
  const factor = rng.uniform(1 - color.range, 1 + color.range)
  return isApplied ? factor : 1
}

function compose(map: ColorMap, kind: ColorAugmentation['kind'], value: number, mean: Float64Array): void {
  if (kind === 'hue') rotateHue(map, value)
  else if (kind === 'brightness') scaleBrightness(map, value)
  else if (kind === 'contrast') scaleContrast(map, value, mean)
  else scaleSaturation(map, value)
}
