import { sizeOf } from '../../core/ndarray.ts'
import type { Graph, Shape, Value } from './graph.ts'
import { constantData, inputsOf, sameShape, splatOf } from './graph.ts'

/** `x` broadcast to `shape`. Element-wise operators look through it with {@link unexpanded}, so it is rarely executed. */
export function expand(g: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x
  const number = splatOf(x)
  if (number !== undefined) return g.splat(number, shape, x.type)
  const source = inputsOf(x, 'Expand')?.[0] ?? x
  return g.op('Expand', [source, g.int64s(shape)], { type: x.type, shape })
}

/** The smaller value that `x` broadcasts, or `x` itself. */
export function unexpanded(g: Graph, x: Value): Value {
  const number = splatOf(x)
  if (number !== undefined) return g.splat(number, [], x.type)
  return inputsOf(x, 'Expand')?.[0] ?? x
}

/** The same elements in the same order under another shape. */
export function reshape(g: Graph, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x
  const number = splatOf(x)
  if (number !== undefined) return g.splat(number, shape, x.type)
  if (x.constant !== undefined && x.type !== 'int64') return g.array(constantData(x) as Float32Array, shape, x.type)
  if (x.block !== undefined) return g.block(x.type, shape, x.block)
  const expanded = inputsOf(x, 'Expand')?.[0]
  if (expanded !== undefined && sizeOf(expanded.shape) === 1) {
    const ones = shape.map(() => 1)
    return expand(g, reshape(g, expanded, ones), shape)
  }
  const source = inputsOf(x, 'Reshape')?.[0]
  if (source !== undefined) return reshape(g, source, shape)
  return belowWidening(g, x, (narrow) => g.op('Reshape', [narrow, g.int64s(shape)], { type: narrow.type, shape }))
}

/** Output axis i is input axis `permutation[i]`. */
export function transpose(g: Graph, x: Value, permutation: readonly number[]): Value {
  const shape = permutation.map((axis) => x.shape[axis]!)
  const moved = permutation.filter((axis) => x.shape[axis] !== 1)
  // Axes of size 1 may move anywhere without any element moving.
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) return reshape(g, x, shape)
  const number = splatOf(x)
  if (number !== undefined) return g.splat(number, shape, x.type)
  const inner = x.node?.op === 'Transpose' ? x.node : undefined
  if (inner !== undefined) {
    const first = inner.attributes['perm'] as readonly number[]
    return transpose(
      g,
      inner.inputs[0]!,
      permutation.map((axis) => first[axis]!),
    )
  }
  return belowWidening(g, x, (narrow) =>
    g.op('Transpose', [narrow], { type: narrow.type, shape }, { perm: permutation }),
  )
}

/** Rows `indices` (constant or computed, int32 or int64) of `x` along `axis`; the indices' shape takes that axis's place. */
export function gather(g: Graph, x: Value, indices: Value, axis: number): Value {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  const number = splatOf(x)
  if (number !== undefined) return g.splat(number, shape, x.type)
  return belowWidening(g, x, (narrow) => g.op('Gather', [narrow, indices], { type: narrow.type, shape }, { axis }))
}

/** The block of `x` that starts at `begin`, of size `size`, taking every `steps`-th element. */
export function slice(
  g: Graph,
  x: Value,
  begin: readonly number[],
  size: Shape,
  steps: readonly number[] = size.map(() => 1),
): Value {
  if (sameShape(x.shape, size) && steps.every((step) => step === 1)) return x
  const number = splatOf(x)
  if (number !== undefined) return g.splat(number, size, x.type)
  const axes = size.map((_, axis) => axis).filter((axis) => size[axis] !== x.shape[axis] || steps[axis] !== 1)
  if (axes.length === 1 && steps[axes[0]!] === 1) {
    const inPlace = blockAlong(g, x, axes[0]!, begin[axes[0]!]!, size[axes[0]!]!)
    if (inPlace !== undefined) return inPlace
  }
  const ends = axes.map((axis) => {
    const end = begin[axis]! + size[axis]! * steps[axis]!
    // Going backwards, -1 would mean the last element; the most negative number means "to the first one".
    return end < 0 ? -(2 ** 31) : end
  })
  const inputs = [axes.map((axis) => begin[axis]!), ends, axes, axes.map((axis) => steps[axis]!)]
  return belowWidening(g, x, (narrow) =>
    g.op('Slice', [narrow, ...inputs.map((input) => g.int64s(input))], { type: narrow.type, shape: size }),
  )
}

/** The parts of `x` of the given sizes along `axis`. */
export function split(g: Graph, x: Value, sizes: readonly number[], axis: number): readonly Value[] {
  if (sizes.length === 1) return [x]
  const specs = sizes.map((size) => ({ type: x.type, shape: x.shape.with(axis, size) }))
  const number = splatOf(x)
  if (number !== undefined) return specs.map(({ shape }) => g.splat(number, shape, x.type))
  const blocks = sizes.map((size, i) =>
    blockAlong(
      g,
      x,
      axis,
      sizes.slice(0, i).reduce((sum, n) => sum + n, 0),
      size,
    ),
  )
  if (blocks.every((block) => block !== undefined)) return blocks
  return g.node('Split', [x, g.int64s(sizes)], specs, { axis })
}

/** A run along `axis` of a part of a variable, if it is contiguous too. */
function blockAlong(g: Graph, x: Value, axis: number, begin: number, size: number): Value | undefined {
  if (x.block === undefined || sizeOf(x.shape.slice(0, axis)) !== 1) return undefined
  const { variable, offset } = x.block
  const stride = sizeOf(x.shape.slice(axis + 1))
  return g.block(x.type, x.shape.with(axis, size), { variable, offset: offset + begin * stride })
}

/** `parts` one after another along `axis`. */
export function concat(g: Graph, parts: readonly Value[], axis: number): Value {
  const first = parts[0]!
  if (parts.length === 1) return first
  const shape = first.shape.with(
    axis,
    parts.reduce((sum, part) => sum + part.shape[axis]!, 0),
  )
  if (shape.includes(0)) return g.splat(0, shape, first.type)
  const whole = unsplit(parts, axis)
  if (whole !== undefined && sameShape(whole.shape, shape)) return whole
  return g.op('Concat', parts, { type: first.type, shape }, { axis })
}

/** The value whose split along `axis` gave exactly `parts`. */
function unsplit(parts: readonly Value[], axis: number): Value | undefined {
  const node = parts[0]!.node
  if (node?.op !== 'Split' || node.attributes['axis'] !== axis) return undefined
  const complete = node.outputs.length === parts.length && node.outputs.every((output, i) => output === parts[i])
  return complete ? node.inputs[0] : undefined
}

/** `x` with `before` and `after` elements of `value` around it on each axis. */
export function pad(g: Graph, x: Value, before: readonly number[], after: readonly number[], value: number): Value {
  if ([...before, ...after].every((count) => count === 0)) return x
  const shape = x.shape.map((size, axis) => before[axis]! + size + after[axis]!)
  return g.op('Pad', [x, g.int64s([...before, ...after]), g.splat(value, [], x.type)], { type: x.type, shape })
}

/** Moves bytes rather than the wider numbers that they are cast to. */
function belowWidening(g: Graph, x: Value, move: (narrow: Value) => Value): Value {
  const bytes = inputsOf(x, 'Cast')?.[0]
  if (bytes?.type !== 'uint8') return move(x)
  const moved = move(bytes)
  return g.op('Cast', [moved], { type: x.type, shape: moved.shape }, x.node!.attributes)
}
