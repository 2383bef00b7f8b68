import { sizeOf } from '../../core/ndarray.ts'
import type { Graph, Shape, Value } from './graph.ts'
import { concat, expand, gather, reshape } from './movement.ts'

/** A sliding window over the rows and columns of images [B, H, W, C]. */
export interface Window {
  readonly inHeight: number
  readonly inWidth: number
  readonly outHeight: number
  readonly outWidth: number
  readonly height: number
  readonly width: number
  readonly strideHeight: number
  readonly strideWidth: number
  readonly dilationHeight: number
  readonly dilationWidth: number
  readonly padTop: number
  readonly padLeft: number
}

/**
 * Pixels under the window at every position: [B, outHeight*outWidth, height*width, C], `outside` where it hangs over.
 *
 * Convolutions are this and one matrix product. On ONNX Runtime's CPU kernels that beats its Conv (9 channels 48x48, batch
 * 128: 5.0 ms against 6.5) and needs no change of layout; the patches serve the filter's gradient too (5.2 ms instead of
 * 10.7 as a dilated convolution).
 */
export function patches(g: Graph, images: Value, window: Window, outside = 0): Value {
  const [batch, , , channels] = images.shape as readonly [number, number, number, number]
  const { inHeight, inWidth, outHeight, outWidth, height, width } = window
  const positions = outHeight * outWidth
  const taps = height * width
  const pixels = reshape(g, images, [batch, inHeight * inWidth, channels])
  if (taps === 1 && window.strideHeight * window.strideWidth === 1 && positions === inHeight * inWidth) {
    return reshape(g, pixels, [batch, positions, 1, channels])
  }
  return gatherRows(g, pixels, windowTable(window), [positions, taps], outside)
}

/** Index of the pixel under every tap at every position, and one past the last pixel where a tap is outside. */
function windowTable(window: Window): Int32Array {
  const { inHeight, inWidth, outHeight, outWidth, height, width } = window
  const table = new Int32Array(outHeight * outWidth * height * width)
  let next = 0
  for (let row = 0; row < outHeight; row++) {
    for (let column = 0; column < outWidth; column++) {
      for (let i = 0; i < height; i++) {
        const y = row * window.strideHeight - window.padTop + i * window.dilationHeight
        for (let j = 0; j < width; j++) {
          const x = column * window.strideWidth - window.padLeft + j * window.dilationWidth
          const inside = y >= 0 && y < inHeight && x >= 0 && x < inWidth
          table[next++] = inside ? y * inWidth + x : inHeight * inWidth
        }
      }
    }
  }
  return table
}

/** Rows of `x` [B, N, C] by `table`: [B, ...shape, C]. Index N stands for a row full of `outside`. */
export function gatherRows(g: Graph, x: Value, table: Int32Array, shape: Shape, outside: number): Value {
  const [batch, count, channels] = x.shape as readonly [number, number, number]
  const identity = table.length === count && table.every((index, i) => index === i)
  if (identity) return reshape(g, x, [batch, ...shape, channels])
  const rows = table.includes(count)
    ? concat(g, [x, expand(g, g.splat(outside, [], x.type), [batch, 1, channels])], 1)
    : x
  return gather(g, rows, g.int32s(table, shape), 1)
}

/**
 * The gradient of a convolution's input: for every input pixel, the sum over the positions and taps that touched it. Pixels are sorted
 * by their place modulo the stride, since those of one such phase see the same taps: each phase is a convolution of its own, and
 * no work goes into the zeros that a strided gradient would have to be filled with.
 *
 * @param dy [B, outHeight, outWidth, O]
 * @param channels C
 * @param times multiplies rows [B, pixels, taps, O] by the filter's slices for those taps: [B, pixels, C]
 * @returns [B, inHeight, inWidth, C]
 */
export function scatterPatches(
  g: Graph,
  dy: Value,
  window: Window,
  channels: number,
  times: (rows: Value, taps: readonly number[]) => Value,
): Value {
  const [batch, , , channelsOut] = dy.shape as readonly [number, number, number, number]
  const { inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth } = window
  const rows = reshape(g, dy, [batch, outHeight * outWidth, channelsOut])
  const parts: Value[] = []
  const order: number[] = []
  for (let a = 0; a < Math.min(strideHeight, inHeight); a++) {
    for (let b = 0; b < Math.min(strideWidth, inWidth); b++) {
      const { pixels, taps, table } = phaseOf(window, a, b)
      order.push(...pixels)
      const untouched = taps.length === 0
      if (untouched) parts.push(g.splat(0, [batch, pixels.length, channels]))
      else parts.push(times(gatherRows(g, rows, table, [pixels.length, taps.length], 0), taps))
    }
  }
  return reshape(g, interleave(g, parts, order, window), [batch, inHeight, inWidth, channels])
}

interface Phase {
  /** Input pixels of this phase, row by row. */
  readonly pixels: readonly number[]
  /** Taps of the filter (row * width + column) that can touch them. */
  readonly taps: readonly number[]
  /** [pixels, taps]: the output position whose window holds the pixel under that tap, or one past the last. */
  readonly table: Int32Array
}

function phaseOf(window: Window, a: number, b: number): Phase {
  const { inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth, height, width } = window
  const taps: number[] = []
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      const rowFits = (a + window.padTop - i * window.dilationHeight) % strideHeight === 0
      const columnFits = (b + window.padLeft - j * window.dilationWidth) % strideWidth === 0
      if (rowFits && columnFits) taps.push(i * width + j)
    }
  }
  const pixels: number[] = []
  const table: number[] = []
  for (let y = a; y < inHeight; y += strideHeight) {
    for (let x = b; x < inWidth; x += strideWidth) {
      pixels.push(y * inWidth + x)
      for (const tap of taps) {
        const row = (y + window.padTop - Math.floor(tap / width) * window.dilationHeight) / strideHeight
        const column = (x + window.padLeft - (tap % width) * window.dilationWidth) / strideWidth
        const inside = row >= 0 && row < outHeight && column >= 0 && column < outWidth
        table.push(inside ? row * outWidth + column : outHeight * outWidth)
      }
    }
  }
  return { pixels, taps, table: Int32Array.from(table) }
}

/** Puts phases [B, pixels, C] back in the order of the image: [B, H*W, C]. */
function interleave(g: Graph, parts: readonly Value[], order: readonly number[], window: Window): Value {
  const { inHeight, inWidth, strideHeight, strideWidth } = window
  const [batch, , channels] = parts[0]!.shape as readonly [number, number, number]
  const even = inHeight % strideHeight === 0 && inWidth % strideWidth === 0
  if (parts.length === 1) return parts[0]!
  if (even) {
    const cells = (batch * inHeight * inWidth) / parts.length
    const cellRows = Array.from({ length: strideHeight }, (_, a) => {
      const row = parts.slice(a * strideWidth, (a + 1) * strideWidth)
      const columns = row.map((part) => reshape(g, part, [cells, 1, channels]))
      return reshape(g, concat(g, columns, 1), [(batch * inHeight) / strideHeight, 1, inWidth * channels])
    })
    return reshape(g, concat(g, cellRows, 1), [batch, inHeight * inWidth, channels])
  }
  const place = new Int32Array(order.length)
  for (const [i, pixel] of order.entries()) place[pixel] = i
  return gatherRows(g, concat(g, parts, 1), place, [sizeOf([inHeight, inWidth])], 0)
}
