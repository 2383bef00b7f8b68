import { ArmatureError } from '../../../core/errors.ts'
import type { Graph, Value } from '../graph.ts'

/** Inputs of a TF.js kernel by name, or by position ('0', '1', ...) where the kernel takes a list. */
export type Operands = Readonly<Record<string, Value>>

/** How one TF.js kernel is written in ONNX nodes. `attributes` are those of the kernel (`kernel_names.d.ts` of tfjs-core). */
export type Lowering<A = never> = (g: Graph, operands: Operands, attributes: A) => Value | readonly Value[]

/** Lowerings by kernel name. Each looks at the attributes of its own kernel only, hence the loose type. */
export type Lowerings = Readonly<Record<string, Lowering>>

/** The values of a kernel that takes a list, in order. */
export function listOf(operands: Operands): readonly Value[] {
  return Object.values(operands)
}

export function axesOf(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axis === null || axis === undefined) return Array.from({ length: rank }, (_, i) => i)
  return (typeof axis === 'number' ? [axis] : [...axis]).map((i) => (i < 0 ? i + rank : i)).toSorted((a, b) => a - b)
}

export function unsupported(kernel: string, why: string): ArmatureError {
  return new ArmatureError('unsupported-op', `op ${kernel} is not covered by the onnx engine for ${why}`)
}
