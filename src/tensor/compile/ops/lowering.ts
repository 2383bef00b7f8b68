import { ArmatureError } from '../../../core/errors.ts'
import { cast } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'

/** Inputs of a TF.js kernel by name, or by position ('0', '1', ...) where the kernel takes a list. */
export type Operands = Readonly<Record<string, Value>>

/** How one TF.js kernel is written in ONNX nodes. `attributes` are those of the kernel (`kernel_names.d.ts` of tfjs-core). */
export type Lowering<A = never> = (g: Graph, operands: Operands, attributes: A) => Value | readonly Value[]

/** Lowerings by kernel name. Each looks at the attributes of its own kernel only, hence the loose type. */
export type Lowerings = Readonly<Record<string, Lowering>>

export function mapLowerings(lowerings: Lowerings, change: (lowering: Lowering) => Lowering): Lowerings {
  return Object.fromEntries(Object.entries(lowerings).map(([name, lowering]) => [name, change(lowering)]))
}

/** The values of a kernel that takes a list, in order. */
export function listOf(operands: Operands): readonly Value[] {
  return Object.values(operands)
}

export function axesOf(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axis === null || axis === undefined) return Array.from({ length: rank }, (_, i) => i)
  return (typeof axis === 'number' ? [axis] : [...axis]).map((i) => (i < 0 ? i + rank : i)).toSorted((a, b) => a - b)
}

/**
 * A lowering in float32 of a function that also takes int32: what TF.js's cpu backend stores for those is the result cut off to
 * an integer (`keepsType`), or the float itself.
 */
export function throughFloat(lowering: Lowering, keepsType: boolean): Lowering {
  return (g, operands, attributes) => {
    const values = Object.entries(operands)
    const type = values[0]![1].type
    const floats = Object.fromEntries(values.map(([name, value]) => [name, cast(g, value, 'float32')]))
    const result = lowering(g, floats, attributes) as Value
    return keepsType ? cast(g, result, type) : result
  }
}

/** A lowering of arithmetic: booleans count as int32, 0 and 1. */
export function countingBooleans(lowering: Lowering): Lowering {
  return (g, operands, attributes) => {
    const counted = Object.entries(operands).map(([name, value]) => [
      name,
      value.type === 'bool' ? cast(g, value, 'int32') : value,
    ])
    return lowering(g, Object.fromEntries(counted) as Operands, attributes)
  }
}

export function unsupported(kernel: string, why: string): ArmatureError {
  return new ArmatureError('unsupported-op', `op ${kernel} is not covered by the onnx engine for ${why}`, {
    fix: 'write it in other ops, or choose the engine js',
  })
}
