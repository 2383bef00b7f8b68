/** Size of a frame: uint8 [height, width, channels], row-major. */
export interface FrameSize {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** Luma weights of red, green and blue (ITU-R BT.601), by which pixels turn grey. */
export const LUMA = [0.299, 0.587, 0.114] as const

/**
 * Fraction bits of the integers that {@link applyColor} multiplies by. The factors of a row may add up to 60 before a sum and its offset
 * reach 2^31.
 */
const FRACTION_BITS = 16
const ONE = 1 << FRACTION_BITS

/**
 * Moves what the frame at byte `start` shows by `right` and `down` pixels, in place. What moves in from outside repeats the pixels of
 * the border, as if the frame had been padded by replication and cropped (DrQ, Kostrikov et al. 2020).
 */
export function shiftFrame(
  frames: Uint8Array,
  start: number,
  size: FrameSize,
  shift: { readonly right: number; readonly down: number },
): void {
  const { height } = size
  const { right, down } = shift
  if (right === 0 && down === 0) return
  // A row is read before it is written where rows are filled against the direction in which the frame moves.
  for (let i = 0; i < height; i++) {
    const y = down > 0 ? height - 1 - i : i
    const from = Math.min(height - 1, Math.max(0, y - down))
    shiftRow(frames, start, size, { from, to: y, right })
  }
}

function shiftRow(
  frames: Uint8Array,
  start: number,
  { width, channels }: FrameSize,
  { from, to, right }: { readonly from: number; readonly to: number; readonly right: number },
): void {
  const stride = width * channels
  const [source, target] = [start + from * stride, start + to * stride]
  const moved = Math.min(width, Math.abs(right)) * channels
  if (right <= 0) {
    frames.copyWithin(target, source + moved, source + stride)
    const last = source + stride - channels
    for (let i = stride - moved; i < stride; i++) frames[target + i] = frames[last + (i % channels)]!
    return
  }
  frames.copyWithin(target + moved, source, source + stride - moved)
  for (let i = moved - 1; i >= 0; i--) frames[target + i] = frames[source + (i % channels)]!
}

/** Copies the rectangle at (`left`, `top`) of the frame at byte `from` to byte `to`, which must not lie behind it. */
export function cropFrame(
  frames: Uint8Array,
  from: number,
  to: number,
  size: FrameSize,
  crop: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
): void {
  const stride = size.width * size.channels
  const bytes = crop.width * size.channels
  for (let y = 0; y < crop.height; y++) {
    const source = from + (crop.top + y) * stride + crop.left * size.channels
    frames.copyWithin(to + y * bytes, source, source + bytes)
  }
}

/**
 * Enlarges the rectangle at (`left`, `top`), in pixels and their fractions, to the whole frame (bilinear, pixel centres at half
 * integers). `scratch` holds at least one frame.
 */
export function zoomFrame(
  frames: Uint8Array,
  start: number,
  { height, width, channels }: FrameSize,
  crop: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
  scratch: Float32Array,
): void {
  for (let i = 0; i < height * width * channels; i++) scratch[i] = frames[start + i]!
  for (let y = 0, out = start; y < height; y++) {
    const sourceY = clamp(crop.top + ((y + 0.5) * crop.height) / height - 0.5, height - 1)
    const top = Math.floor(sourceY)
    const bottom = Math.min(top + 1, height - 1)
    const down = sourceY - top
    for (let x = 0; x < width; x++) {
      const sourceX = clamp(crop.left + ((x + 0.5) * crop.width) / width - 0.5, width - 1)
      const left = Math.floor(sourceX)
      const right = Math.min(left + 1, width - 1)
      const across = sourceX - left
      for (let c = 0; c < channels; c++, out++) {
        const above = mix(scratch, (top * width + left) * channels + c, (top * width + right) * channels + c, across)
        const below = mix(
          scratch,
          (bottom * width + left) * channels + c,
          (bottom * width + right) * channels + c,
          across,
        )
        frames[out] = above + (below - above) * down + 0.5
      }
    }
  }
}

function mix(values: Float32Array, a: number, b: number, weight: number): number {
  return values[a]! + (values[b]! - values[a]!) * weight
}

function clamp(value: number, high: number): number {
  return value < 0 ? 0 : value > high ? high : value
}

/** Mirrors the frame at byte `start`, left to right or top to bottom. */
export function flipFrame(
  frames: Uint8Array,
  start: number,
  { height, width, channels }: FrameSize,
  axis: 'horizontal' | 'vertical',
): void {
  const isHorizontal = axis === 'horizontal'
  for (let y = 0; y < (isHorizontal ? height : height >> 1); y++) {
    for (let x = 0; x < (isHorizontal ? width >> 1 : width); x++) {
      const other = isHorizontal ? y * width + width - 1 - x : (height - 1 - y) * width + x
      let [a, b] = [start + (y * width + x) * channels, start + other * channels]
      for (let c = 0; c < channels; c++, a++, b++) {
        const kept = frames[a]!
        frames[a] = frames[b]!
        frames[b] = kept
      }
    }
  }
}

/** Paints a rectangle of the frame at byte `start`, clipped to it. */
export function fillRectangle(
  frames: Uint8Array,
  start: number,
  { height, width, channels }: FrameSize,
  box: { readonly left: number; readonly top: number; readonly width: number; readonly height: number },
  value: number,
): void {
  const [left, right] = [Math.max(0, box.left), Math.min(width, box.left + box.width)]
  const bottom = Math.min(height, box.top + box.height)
  if (right <= left) return
  for (let y = Math.max(0, box.top); y < bottom; y++) {
    frames.fill(value, start + (y * width + left) * channels, start + (y * width + right) * channels)
  }
}

/**
 * Gaussian blur of standard deviation `sigma` pixels, cut off at 3 sigma, borders repeated. `scratch` holds at least one frame; `kernel`
 * at least 3 sigma + 2 elements.
 */
export function blurFrame(
  frames: Uint8Array,
  start: number,
  size: FrameSize,
  sigma: number,
  scratch: Float32Array,
  kernel: Float32Array,
): void {
  if (sigma <= 0) return
  const { height, width, channels } = size
  const radius = fillKernel(kernel, sigma)
  for (let y = 0, out = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++, out++) {
        let sum = kernel[0]! * frames[start + out]!
        for (let k = 1; k <= radius; k++) {
          const left = start + (y * width + Math.max(0, x - k)) * channels + c
          const right = start + (y * width + Math.min(width - 1, x + k)) * channels + c
          sum += kernel[k]! * (frames[left]! + frames[right]!)
        }
        scratch[out] = sum
      }
    }
  }
  const stride = width * channels
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < stride; i++) {
      let sum = kernel[0]! * scratch[y * stride + i]!
      for (let k = 1; k <= radius; k++) {
        sum +=
          kernel[k]! * (scratch[Math.max(0, y - k) * stride + i]! + scratch[Math.min(height - 1, y + k) * stride + i]!)
      }
      frames[start + y * stride + i] = sum + 0.5
    }
  }
}

/** Fills in the weights of distances 0, 1, ... of a normalised kernel; returns the largest distance. */
function fillKernel(kernel: Float32Array, sigma: number): number {
  const radius = Math.ceil(3 * sigma)
  let sum = 0
  for (let k = 0; k <= radius; k++) {
    kernel[k] = Math.exp(-(k * k) / (2 * sigma * sigma))
    sum += k === 0 ? kernel[k]! : 2 * kernel[k]!
  }
  for (let k = 0; k <= radius; k++) kernel[k]! /= sum
  return radius
}

/**
 * An affine map of RGB values in 0..255, row-major [3, 4]: colour c becomes M [c, 1]. Several changes of colour are composed into one map,
 * so that a pixel is rounded and clamped once.
 */
export type ColorMap = Float64Array

/** Makes `map` the identity. */
export function resetColor(map: ColorMap): ColorMap {
  map.fill(0)
  map[0] = 1
  map[5] = 1
  map[10] = 1
  return map
}

/** Turns colours by `angleRad` about the grey axis, after what `map` does: 120 degrees take red to green to blue to red. */
export function rotateHue(map: ColorMap, angleRad: number): void {
  const cos = Math.cos(angleRad)
  const [a, b] = [(1 + 2 * cos) / 3, (1 - cos) / 3]
  const c = Math.sin(angleRad) / Math.sqrt(3)
  for (let column = 0; column < 4; column++) {
    const [red, green, blue] = [map[column]!, map[4 + column]!, map[8 + column]!]
    map[column] = a * red + (b - c) * green + (b + c) * blue
    map[4 + column] = (b + c) * red + a * green + (b - c) * blue
    map[8 + column] = (b - c) * red + (b + c) * green + a * blue
  }
}

/** Multiplies colours by `factor`, after what `map` does. */
export function scaleBrightness(map: ColorMap, factor: number): void {
  for (let i = 0; i < 12; i++) map[i]! *= factor
}

/** Multiplies distances from the colour's own grey by `factor`, after what `map` does: 0 is grey, 1 changes nothing. */
export function scaleSaturation(map: ColorMap, factor: number): void {
  for (let column = 0; column < 4; column++) {
    const [red, green, blue] = [map[column]!, map[4 + column]!, map[8 + column]!]
    const grey = (1 - factor) * (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)
    map[column] = factor * red + grey
    map[4 + column] = factor * green + grey
    map[8 + column] = factor * blue + grey
  }
}

/** Multiplies distances from the mean grey of the frame by `factor`, after what `map` does. `mean`: RGB of the frame before the map. */
export function scaleContrast(map: ColorMap, factor: number, mean: Float64Array): void {
  let grey = 0
  for (let row = 0; row < 3; row++) {
    const at = row * 4
    const value = map[at]! * mean[0]! + map[at + 1]! * mean[1]! + map[at + 2]! * mean[2]! + map[at + 3]!
    grey += LUMA[row]! * value
  }
  scaleBrightness(map, factor)
  for (let row = 0; row < 3; row++) map[row * 4 + 3]! += (1 - factor) * grey
}

/** Mean red, green and blue of `length` bytes from `start` on, into `mean`. */
export function meanColor(frames: Uint8Array, start: number, length: number, mean: Float64Array): void {
  let [red, green, blue] = [0, 0, 0]
  for (let i = start; i < start + length; i += 3) {
    red += frames[i]!
    green += frames[i + 1]!
    blue += frames[i + 2]!
  }
  mean[0] = (3 * red) / length
  mean[1] = (3 * green) / length
  mean[2] = (3 * blue) / length
}

/** Maps the colours of `length` bytes from `start` on, rounded and clamped. Factors of a row of `map` add up to at most 60. */
export function applyColor(frames: Uint8Array, start: number, length: number, map: ColorMap): void {
  const factor = (i: number): number => Math.round(map[i]! * ONE)
  const half = ONE / 2
  const [rr, rg, rb, r1] = [factor(0), factor(1), factor(2), factor(3) + half]
  const [gr, gg, gb, g1] = [factor(4), factor(5), factor(6), factor(7) + half]
  const [br, bg, bb, b1] = [factor(8), factor(9), factor(10), factor(11) + half]
  for (let i = start; i < start + length; i += 3) {
    const red = frames[i]!
    const green = frames[i + 1]!
    const blue = frames[i + 2]!
    const newRed = (Math.imul(rr, red) + Math.imul(rg, green) + Math.imul(rb, blue) + r1) >> FRACTION_BITS
    const newGreen = (Math.imul(gr, red) + Math.imul(gg, green) + Math.imul(gb, blue) + g1) >> FRACTION_BITS
    const newBlue = (Math.imul(br, red) + Math.imul(bg, green) + Math.imul(bb, blue) + b1) >> FRACTION_BITS
    frames[i] = newRed < 0 ? 0 : newRed > 255 ? 255 : newRed
    frames[i + 1] = newGreen < 0 ? 0 : newGreen > 255 ? 255 : newGreen
    frames[i + 2] = newBlue < 0 ? 0 : newBlue > 255 ? 255 : newBlue
  }
}
