import { matMul } from '../matmul.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { countingBooleans } from './lowering.ts'

const batchMatMul: Lowering<{ transposeA: boolean; transposeB: boolean }> = (g, { a, b }, attributes) =>
  matMul(g, a!, b!, attributes.transposeA, attributes.transposeB)

export const LINEAR: Lowerings = { BatchMatMul: countingBooleans(batchMatMul as Lowering) }
