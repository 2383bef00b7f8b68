import { ACTIVATIONS } from './activations.ts'
import { ARITHMETIC } from './arithmetic.ts'
import { CONVOLUTION } from './convolution.ts'
import { CROPS } from './crops.ts'
import { INDEXING } from './indexing.ts'
import { LINEAR } from './linear.ts'
import type { Lowerings } from './lowering.ts'
import { POOLING } from './pooling.ts'
import { REDUCTIONS } from './reductions.ts'
import { RESIZE } from './resize.ts'
import { SCATTER } from './scatter.ts'
import { SHAPES } from './shapes.ts'
import { VOLUMES } from './volumes.ts'

/** Every TF.js kernel that compiled programs cover. */
export const LOWERINGS: Lowerings = {
  ...ARITHMETIC,
  ...ACTIVATIONS,
  ...REDUCTIONS,
  ...SHAPES,
  ...INDEXING,
  ...LINEAR,
  ...CONVOLUTION,
  ...POOLING,
  ...RESIZE,
  ...CROPS,
  ...SCATTER,
  ...VOLUMES,
}
