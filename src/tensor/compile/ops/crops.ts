import { binary, cast, unary, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import { expand, gather, reshape, slice } from '../movement.ts'
import type { Lowering, Lowerings } from './lowering.ts'

interface CropAttributes {
  readonly cropSize: readonly [number, number]
  readonly method: 'bilinear' | 'nearest'
  readonly extrapolationValue: number
}

/** Where the samples of each crop lie along one axis of the image, all [N, count]. */
interface AxisSamples {
  readonly low: Value
  readonly high: Value
  readonly fraction: Value
  readonly inside: Value
}

/** Positions of `count` samples from `start` to `end` (shares of the axis, [N, 1] float64), computed in float64 as in TF.js. */
function samplesAlong(g: Graph, start: Value, end: Value, count: number, size: number, nearest: boolean): AxisSamples {
  const number = (value: number): Value => g.splat(value, [], 'float64')
  const op = (name: string, a: Value, b: Value): Value => binary(g, name, a, b)
  const last = number(size - 1)
  const steps = g.array(
    Float64Array.from({ length: count }, (_, i) => i),
    [1, count],
    'float64',
  )
  const scale = op('Div', op('Mul', op('Sub', end, start), last), number(Math.max(1, count - 1)))
  const at =
    count > 1
      ? op('Add', op('Mul', start, last), op('Mul', steps, scale))
      : op('Mul', op('Mul', op('Add', start, end), number(0.5)), last)
  const clipped = (value: Value): Value => op('Min', op('Max', value, number(0)), last)
  const low = unary(g, 'Floor', nearest ? op('Add', at, number(0.5)) : at)
  const high = nearest ? low : unary(g, 'Ceil', at)
  return {
    low: cast(g, clipped(low), 'int32'),
    high: cast(g, clipped(high), 'int32'),
    fraction: cast(g, op('Sub', at, low), 'float32'),
    inside: op('And', op('GreaterOrEqual', at, number(0)), op('LessOrEqual', at, last)),
  }
}

/** Boxes [N, 4] (y1, x1, y2, x2 as shares of the image) of images [B, H, W, C], resized to `cropSize`. */
const cropAndResize: Lowering<CropAttributes> = (g, { image, boxes, boxInd }, attributes) => {
  const { cropSize, method, extrapolationValue } = attributes
  const [batch, height, width, channels] = image!.shape as readonly [number, number, number, number]
  const [rows, columns] = cropSize
  const count = boxes!.shape[0]!
  const int = (value: number): Value => g.splat(value, [], 'int32')
  const corner = (i: number): Value => slice(g, cast(g, boxes!, 'float64'), [0, i], [count, 1])
  const nearest = method === 'nearest'
  const y = samplesAlong(g, corner(0), corner(2), rows, height, nearest)
  const x = samplesAlong(g, corner(1), corner(3), columns, width, nearest)

  const source = cast(g, boxInd!, 'int32')
  const exists = reshape(g, binary(g, 'Less', source, int(batch)), [count, 1, 1, 1])
  const first = binary(g, 'Mul', binary(g, 'Min', source, int(batch - 1)), int(height * width))
  const pixels = reshape(g, cast(g, image!, 'float32'), [batch * height * width, channels])
  const down = (value: Value): Value => reshape(g, value, [count, rows, 1])
  const across = (value: Value): Value => reshape(g, value, [count, 1, columns])
  const pick = (row: Value, column: Value): Value => {
    const line = binary(g, 'Add', binary(g, 'Mul', down(row), int(width)), reshape(g, first, [count, 1, 1]))
    const index = expand(g, binary(g, 'Add', line, across(column)), [count, rows, columns])
    return gather(g, pixels, index, 0) // [N, rows, columns, C]
  }
  const mix = (a: Value, b: Value, share: Value): Value =>
    binary(g, 'Add', a, binary(g, 'Mul', binary(g, 'Sub', b, a), share))
  const [byRow, byColumn] = [
    reshape(g, y.fraction, [count, rows, 1, 1]),
    reshape(g, x.fraction, [count, 1, columns, 1]),
  ]
  const sampled = nearest
    ? pick(y.low, x.low)
    : mix(
        mix(pick(y.low, x.low), pick(y.low, x.high), byColumn),
        mix(pick(y.high, x.low), pick(y.high, x.high), byColumn),
        byRow,
      )
  const inside = reshape(g, binary(g, 'And', down(y.inside), across(x.inside)), [count, rows, columns, 1])
  return where(g, exists, where(g, inside, sampled, g.splat(extrapolationValue)), g.splat(0))
}

export const CROPS: Lowerings = { CropAndResize: cropAndResize }
