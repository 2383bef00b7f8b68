/**
 * Convolutions on images whose channels lie in blocks as wide as a vector register, [B, C / lanes, H, W, lanes]: the layout of ONNX
 * Runtime's direct convolution, which needs no patches. Patches of a 3x3 filter are nine times their image, and writing and reading them took
 * longer than multiplying them. The product for a filter's gradient ran at 25 to 90 GFLOP/s by patches; direct convolutions run at 140 to 250.
 *
 * The operator is for its CPU provider alone and not part of ONNX: where {@link Graph.lanes} is 0, and for channels that fill no block,
 * `patches` do. It says [B, C, H, W] of blocks, too, whatever their order in memory; so does `Value.shape` of its results here.
 */
import { asBlocks, asImages, BLOCKED_DOMAIN, fromBlocks, toBlocks } from './blocks.ts'
import type { Graph, Value } from './graph.ts'
import { concat, expand, gather, pad, reshape, slice, transpose } from './movement.ts'
import type { Window } from './windows.ts'

type Shape4 = readonly [number, number, number, number]

interface Geometry {
  readonly kernel: readonly [number, number]
  readonly strides?: readonly [number, number]
  readonly dilations?: readonly [number, number]
  /** Top, left, bottom, right. */
  readonly pads: Shape4
}

/** @returns [B, O, outHeight, outWidth], in blocks of O */
function convolve(g: Graph, x: Value, filter: Value, out: Shape4, geometry: Geometry): Value {
  const { kernel, strides = [1, 1], dilations = [1, 1], pads } = geometry
  const attributes = { kernel_shape: kernel, strides, dilations, pads, group: 1 }
  return g.op('Conv', [x, filter], { type: x.type, shape: out }, attributes, BLOCKED_DOMAIN)
}

/** Whether {@link Graph.lanes} divide all of `sizes`, and a pixel has neighbours: one by one, a matrix product is as good. */
function fits(g: Graph, { height, width }: Window, ...sizes: readonly number[]): boolean {
  return g.lanes > 0 && height * width > 1 && sizes.every((size) => size % g.lanes === 0)
}

/**
 * Images [B, H, W, C] convolved with a filter [height, width, C, O]: [B, outHeight, outWidth, O]. Channels that fill no blocks, as those of
 * frames, are taken for columns of pixels: a row of W C of them, of which a filter sees `width` C at steps of `stride` C.
 *
 * @returns undefined where blocks do not serve
 */
export function blockedConvolution(g: Graph, x: Value, filter: Value, window: Window): Value | undefined {
  const [batch, , , channels] = x.shape as Shape4
  const [height, width, , channelsOut] = filter.shape as Shape4
  if (!fits(g, window, channelsOut)) return undefined
  const { inHeight, inWidth, outHeight, outWidth, padTop, padLeft } = window
  const [strideHeight, strideWidth] = [window.strideHeight, window.strideWidth]
  const [dilationHeight, dilationWidth] = [window.dilationHeight, window.dilationWidth]
  const missing = (out: number, stride: number, taps: number, dilation: number, size: number): number =>
    Math.max(0, (out - 1) * stride + (taps - 1) * dilation + 1 - size)
  const padBottom = missing(outHeight, strideHeight, height, dilationHeight, inHeight + padTop)
  const padRight = missing(outWidth, strideWidth, width, dilationWidth, inWidth + padLeft)
  const out = [batch, channelsOut, outHeight, outWidth] as const
  if (channels % g.lanes === 0) {
    const images = asImages(g, toBlocks(g, x))
    const result = convolve(g, images, filterBlocks(g, filter), out, {
      kernel: [height, width],
      strides: [strideHeight, strideWidth],
      dilations: [dilationHeight, dilationWidth],
      pads: [padTop, padLeft, padBottom, padRight],
    })
    return fromBlocks(g, asBlocks(g, result))
  }
  if (dilationWidth !== 1) return undefined
  const rows = reshape(g, x, [batch, 1, inHeight, inWidth * channels])
  const result = convolve(
    g,
    rows,
    filterBlocks(g, reshape(g, filter, [height, width * channels, 1, channelsOut])),
    out,
    {
      kernel: [height, width * channels],
      strides: [strideHeight, strideWidth * channels],
      dilations: [dilationHeight, 1],
      pads: [padTop, padLeft * channels, padBottom, padRight * channels],
    },
  )
  return fromBlocks(g, asBlocks(g, result))
}

/** A filter [height, width, C, O] in blocks of both channels, or of O alone where C is 1: [O, C, height, width]. */
function filterBlocks(g: Graph, filter: Value): Value {
  const [height, width, channels, channelsOut] = filter.shape as Shape4
  const inner = channels === 1 ? 1 : g.lanes
  const split = [height, width, channels / inner, inner, channelsOut / g.lanes, g.lanes]
  const blocks = transpose(g, reshape(g, filter, split), [4, 2, 0, 1, 3, 5])
  return reshape(g, blocks, [channelsOut, channels, height, width])
}

/**
 * The gradient of a convolution's filter, [height, width, C, O], which is a convolution, too: rows of the batch take the part of channels,
 * `dy` [B, outHeight, outWidth, O] that of the filter, and taps that of positions. Columns and channels of the images [B, H, W, C] stay
 * beside each other as one axis, so that a tap's channels are neighbouring positions: the operator computes six of those at a time.
 *
 * @returns undefined where blocks do not serve
 */
export function blockedFilterGradient(g: Graph, x: Value, dy: Value, window: Window): Value | undefined {
  const [batch, , , channels] = x.shape as Shape4
  const channelsOut = dy.shape[3]!
  if (!fits(g, window, channelsOut, batch)) return undefined
  const { height, width, outHeight, outWidth } = window
  const inner = channels % g.lanes === 0 ? g.lanes : channels
  const count = channels / inner
  const whole = paddedWhole(g, inner === channels ? expandBlocks(g, x) : toBlocks(g, x), window)
  const [, , rows, columns] = whole.shape as Shape4
  const shares = transpose(
    g,
    reshape(g, toBlocks(g, dy), [batch / g.lanes, g.lanes, channelsOut / g.lanes, outHeight * outWidth, g.lanes]),
    [2, 0, 3, 1, 4],
  )
  const result = convolve(
    g,
    batchBlocks(g, reshape(g, whole, [batch, count, rows * columns * inner]), [rows, columns * inner]),
    reshape(g, shares, [channelsOut, batch, outHeight, outWidth]),
    [count, channelsOut, height, width * inner],
    {
      kernel: [outHeight, outWidth],
      dilations: [window.strideHeight, window.strideWidth * inner],
      pads: [0, 0, 0, 0],
    },
  )
  const split = reshape(g, result, [count, channelsOut / g.lanes, height, width, inner, g.lanes])
  return reshape(g, transpose(g, split, [2, 3, 0, 4, 1, 5]), [height, width, channels, channelsOut])
}

/** Images with one block of all their channels. */
function expandBlocks(g: Graph, x: Value): Value {
  const [batch, height, width, channels] = x.shape as Shape4
  return reshape(g, x, [batch, 1, height, width, channels])
}

/**
 * Blocks with zeros around them, or without the last rows and columns, so that taps reach exactly what is there. The operator could pad
 * for itself, but computes positions whose taps reach into the padding one at a time.
 */
function paddedWhole(g: Graph, blocks: Value, window: Window): Value {
  const [, , inHeight, inWidth] = blocks.shape as Shape4
  const { padTop, padLeft, outHeight, outWidth, height, width } = window
  const bottom = (outHeight - 1) * window.strideHeight + height - inHeight - padTop
  const right = (outWidth - 1) * window.strideWidth + width - inWidth - padLeft
  const size = blocks.shape.with(2, inHeight + Math.min(0, bottom)).with(3, inWidth + Math.min(0, right))
  const cropped = slice(g, blocks, [0, 0, 0, 0, 0], size)
  return pad(g, cropped, [0, 0, padTop, padLeft, 0], [0, 0, Math.max(0, bottom), Math.max(0, right), 0], 0)
}

/** Numbers [B, count, N] as `count` images of `size` whose channels are the rows of the batch: [count, B, ...size], in blocks of B. */
function batchBlocks(g: Graph, x: Value, [rows, columns]: readonly [number, number]): Value {
  const [batch, count, length] = x.shape as readonly [number, number, number]
  const spec = { type: x.type, shape: [1, batch, count, length] }
  const reordered = g.op('ReorderInput', [reshape(g, x, [1, batch, count, length])], spec, {}, BLOCKED_DOMAIN)
  const blocks = reshape(g, reordered, [batch / g.lanes, count, length * g.lanes])
  return reshape(g, transpose(g, blocks, [1, 0, 2]), [count, batch, rows, columns])
}

/**
 * The gradient of a convolution's input: a convolution of `dy` [B, outHeight, outWidth, O] with the filter turned round. With strides, all
 * pixels of a cell of stride x stride are computed from the positions around it as channels of one image, and put in order after.
 *
 * @returns [B, inHeight, inWidth, C], or undefined where blocks do not serve
 */
export function blockedInputGradient(g: Graph, dy: Value, filter: Value, window: Window): Value | undefined {
  const [batch, , , channelsOut] = dy.shape as Shape4
  const channels = filter.shape[2]!
  if (!fits(g, window, channels, channelsOut)) return undefined
  const { inHeight, inWidth, outHeight, outWidth, height, width, strideHeight, strideWidth } = window
  const rows = reachOf(inHeight, outHeight, height, strideHeight, window.padTop)
  const columns = reachOf(inWidth, outWidth, width, strideWidth, window.padLeft)
  if (Math.min(rows.before, rows.after, columns.before, columns.after) < 0) return undefined
  const [phases, count] = [strideHeight * strideWidth, channels / g.lanes]
  const result = convolve(
    g,
    asImages(g, toBlocks(g, dy)),
    turnedFilter(g, filter, rows, columns),
    [batch, phases * channels, rows.cells, columns.cells],
    { kernel: [rows.taps, columns.taps], pads: [rows.before, columns.before, rows.after, columns.after] },
  )
  const apart = reshape(g, result, [batch, strideHeight, strideWidth, count, rows.cells, columns.cells, g.lanes])
  const inOrder = reshape(g, transpose(g, apart, [0, 3, 4, 1, 5, 2, 6]), [
    batch,
    count,
    rows.cells * strideHeight,
    columns.cells * strideWidth,
    g.lanes,
  ])
  return fromBlocks(g, slice(g, inOrder, [0, 0, 0, 0, 0], [batch, count, inHeight, inWidth, g.lanes]))
}

/** Along one axis: which positions the pixels of a cell come from, and how they are reached. */
interface Reach {
  readonly cells: number
  /** Positions that a cell sees. */
  readonly taps: number
  /** Positions that are missing before the first and after the last. */
  readonly before: number
  readonly after: number
  /** [phase][position]: the tap of the filter that carries one to the other, -1 for none. */
  readonly table: readonly (readonly number[])[]
}

/** Pixel s q + a gets what tap i of position q + (a + padding - i) / s says, where that is a whole number. */
function reachOf(size: number, positions: number, taps: number, stride: number, padding: number): Reach {
  const first = Math.ceil((padding - taps + 1) / stride)
  const last = Math.floor((stride - 1 + padding) / stride)
  const count = last - first + 1
  const cells = Math.ceil(size / stride)
  const table = Array.from({ length: stride }, (_, phase) =>
    Array.from({ length: count }, (_, position) => {
      const tap = phase + padding - stride * (first + position)
      return tap >= 0 && tap < taps ? tap : -1
    }),
  )
  return { cells, taps: count, before: -first, after: cells + last - positions, table }
}

/** The filter that goes from `dy` to all pixels of a cell: [phases * C, O, rows.taps, columns.taps], in blocks. */
function turnedFilter(g: Graph, filter: Value, rows: Reach, columns: Reach): Value {
  const [height, width, channels, channelsOut] = filter.shape as Shape4
  const { lanes } = g
  const taps = reshape(g, filter, [height * width, channels * channelsOut])
  const withZeros = concat(g, [taps, expand(g, g.splat(0), [1, channels * channelsOut])], 0)
  const table = rows.table.flatMap((row) =>
    columns.table.flatMap((column) =>
      row.flatMap((i) => column.map((j) => (i < 0 || j < 0 ? height * width : i * width + j))),
    ),
  )
  const phases = rows.table.length * columns.table.length
  const picked = gather(g, withZeros, g.int32s(Int32Array.from(table), [table.length]), 0)
  const split = [phases, rows.taps * columns.taps, channels / lanes, lanes, channelsOut / lanes, lanes]
  const blocks = transpose(g, reshape(g, picked, split), [0, 2, 4, 1, 5, 3])
  return reshape(g, blocks, [phases * channels, channelsOut, rows.taps, columns.taps])
}
