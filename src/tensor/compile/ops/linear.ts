import { matMul } from '../contract.ts'
import type { Lowering, Lowerings } from './lowering.ts'

const batchMatMul: Lowering<{ transposeA: boolean; transposeB: boolean }> = (g, { a, b }, attributes) =>
  matMul(g, a!, b!, attributes.transposeA, attributes.transposeB)

export const LINEAR: Lowerings = { BatchMatMul: batchMatMul }
